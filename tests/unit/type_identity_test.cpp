// Types seen from two libraries: the mangled name tells them, except where another file may use it for another type.
#include <dsta/cache/detail/type_identity.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <dsta/cache/detail/node.hpp>
#include <dsta/cache/detail/signature.hpp>

namespace type_identity_test {

// Identifiers of letters that mean something in a mangled name.
struct ZSLA {
  struct L1 {};
};
enum class Side { buy };
template <Side>
struct Sided {};
template <int Number>
struct Numbered {};
template <class>
struct Holder {};
inline int external(int x) { return x; }
static int internal(int x) { return x; }
template <class T>
T generic(T value) {
  return value;
}
inline auto function_with_types() {
  struct Local {};
  return Local{};
}

}  // namespace type_identity_test

namespace dsta::cache::detail {
namespace {

using namespace type_identity_test;

struct Anonymous {};
[[maybe_unused]] int anonymous(int x) { return x; }

template <class T>
bool local() {
  return is_local_name(type_info_of<T>()->name());
}

TEST(TypeIdentity, TypesThatEveryFileNamesAlikeAreToldByTheirNames) {
  EXPECT_FALSE(local<int>());
  EXPECT_FALSE(local<std::string>());
  EXPECT_FALSE((local<std::vector<std::map<std::string, std::unique_ptr<double>>>>()));
  EXPECT_FALSE(local<ZSLA>());
  EXPECT_FALSE(local<ZSLA::L1>());
  EXPECT_FALSE((local<std::array<ZSLA, 120>>()));
  EXPECT_FALSE((local<int[12]>()));
  EXPECT_FALSE((local<Numbered<12>>()));
  EXPECT_FALSE((local<Numbered<-3>>()));
  EXPECT_FALSE((local<double (*)(const std::string&)>()));
  EXPECT_FALSE((local<CallOf<int, std::string, ZSLA>>()));
  EXPECT_FALSE(local<FunctionOf<&external>>());
  EXPECT_FALSE(local<FunctionOf<&generic<ZSLA>>>());
}

TEST(TypeIdentity, TypesThatAnotherFileMayNameAlikeAreNot) {
  const auto lambda = [](int x) { return x; };
  struct InFunction {};
  EXPECT_TRUE(local<Anonymous>());
  EXPECT_TRUE(local<std::vector<Anonymous>>());
  EXPECT_TRUE(local<std::remove_const_t<decltype(lambda)>>());
  EXPECT_TRUE(local<Holder<decltype([] {})>>());
  EXPECT_TRUE(local<InFunction>());
  EXPECT_TRUE(local<decltype(function_with_types())>());
  EXPECT_TRUE(local<FunctionOf<&internal>>());
  EXPECT_TRUE(local<FunctionOf<&anonymous>>());
  EXPECT_TRUE((local<CallOf<int, Anonymous>>()));
}

TEST(TypeIdentity, ANameThatCannotBeReadIsTakenToBeLocal) {
  for (const char* name :
       {"9", "99Short", "3ab", "S", "T1", "L", "Li5", "A5", "99999999999999999999999999x", "Dv4_f"}) {
    EXPECT_TRUE(is_local_name(name)) << name;
  }
  EXPECT_FALSE(is_local_name(""));
}

/// As another library has them.
TypeOps elsewhere(const TypeOps& ops) { return ops; }

TEST(TypeIdentity, AnEntryServesItsTypeAsAnotherLibraryHasIt) {
  const TypeOps text = elsewhere(kTypeOps<std::string>), number = elsewhere(kTypeOps<int>);
  EXPECT_TRUE(kTypeOps<std::string>.serves(text));
  EXPECT_TRUE(text.serves(kTypeOps<std::string>));
  EXPECT_FALSE(kTypeOps<unsigned>.serves(number));
  EXPECT_FALSE(kTypeOps<float>.serves(number));
  EXPECT_FALSE(kTypeOps<std::vector<unsigned char>>.serves(elsewhere(kTypeOps<std::vector<std::byte>>)));
  TypeOps other_layout = text;
  other_layout.size += 8;
  EXPECT_FALSE(kTypeOps<std::string>.serves(other_layout));
  TypeOps other_codec = text;
  other_codec.codec = "text/2";
  EXPECT_FALSE(kTypeOps<std::string>.serves(other_codec));
}

TEST(TypeIdentity, ResultsDifferByArgumentsAcrossLibraries) {
  const TypeOps plain = elsewhere(kTypeOps<int>);
  TypeOps call = elsewhere(kCallTypeOps<int, double>);
  call.plain = &plain;
  EXPECT_TRUE((kCallTypeOps<int, double>.serves(call)));
  EXPECT_FALSE((kCallTypeOps<int, float>.serves(call)));
  EXPECT_TRUE(kTypeOps<int>.serves(call));
  EXPECT_TRUE(call.serves(kTypeOps<int>));
}

TEST(TypeIdentity, WithoutRttiAddressesAreAllThereIs) {
  EXPECT_FALSE(same_type(nullptr, nullptr));
  EXPECT_FALSE(same_type(nullptr, &typeid(int)));
  EXPECT_TRUE(same_type(&typeid(int), &typeid(int)));
}

TEST(TypeIdentity, ACompileTimeFunctionIsOneAtAnyAddress) {
  const auto mark = [](const std::type_info* named, unsigned char state) {
    FunctionMark made;
    made.type = &made;
    made.info = type_info_of<int (*)(int)>();
    made.named = named;
    made.comparable = true;
    made.state = {state};
    return made;
  };
  const auto* external_function = type_info_of<FunctionOf<&external>>();
  EXPECT_TRUE(mark(external_function, 1).same_function(mark(external_function, 2)));
  EXPECT_FALSE(mark(external_function, 1).same_function(mark(type_info_of<FunctionOf<&generic<int>>>(), 2)));
  EXPECT_FALSE(mark(nullptr, 1).same_function(mark(nullptr, 2)));
  EXPECT_TRUE(mark(nullptr, 1).same_function(mark(nullptr, 1)));
}

}  // namespace
}  // namespace dsta::cache::detail

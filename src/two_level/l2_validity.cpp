#include "two_level/l2_validity.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "entry/dependency.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Validity<std::int64_t> validity_of(const EnvelopeView& view, const Versions& versions, const Identity* reader) {
  Validity<std::int64_t> entry;
  const auto verdict = [&](std::string_view name, std::uint64_t noted) {
    const Version* const version = versions.there(name);
    return version ? version->evaluate(noted) : Version::Verdict::gone;
  };
  // An epoch does not expire: a newer one removes.
  entry.removed = view.epochs.size() != 1 || verdict({}, view.epochs[0]) != Version::Verdict::current;
  const bool of_function = reader && reader->function;
  for (const TagVersion& tag : view.tags) {
    if (of_function && tag.name.starts_with(kFunctionMark) && tag.name.substr(1) != reader->text())
      entry.foreign = true;
    const Version::Verdict its = verdict(tag.name, tag.version);
    entry.removed |= its == Version::Verdict::gone;
    entry.expired |= its == Version::Verdict::expired;
  }
  entry.refresh_at = view.terms.refresh_after;  // in order: bytes that say otherwise are not decoded
  entry.fresh_until = view.terms.fresh_until;
  entry.stale_until = view.terms.stale_until;
  return entry;
}

bool carries_all(const TagList& tags, const std::vector<std::string>& names) {
  bool of_function = false;
  for (const TagVersion& tag : tags) of_function = of_function || tag.name.starts_with(kFunctionMark);
  return !of_function || std::ranges::all_of(names, [&](const auto& name) {
    const TagName wanted(name);
    for (const TagVersion& tag : tags) {
      if (tag.name == wanted.view()) return true;
    }
    return false;
  });
}

bool counts_plain(const Found& found, bool raw) {
  return found.kind == Found::Kind::other && found.decode_error == DecodeError::not_an_envelope &&
         !found.of_other_type && (raw || codec<std::int64_t>::decode(found.bytes));
}

bool expects_counter(const TypeOps& type) { return type.codec == kTypeOps<std::int64_t>.codec; }

std::vector<std::string> dependencies_of(const Identity* identity, const std::vector<std::string>& tags) {
  std::vector<std::string> dependencies;
  dependencies.reserve(tags.size() + 1);  // so that `known` refers to what does not move
  if (identity && identity->function) dependencies.push_back(function_dependency(identity->text()));
  constexpr std::size_t kMany = 32;  // from which on a set is quicker than a look at each
  std::unordered_set<std::string_view> known;
  for (const auto& tag : tags) {
    const TagName name(tag);
    const bool there = tags.size() < kMany ? std::ranges::find(dependencies, name.view()) != dependencies.end()
                                           : known.contains(name.view());
    if (there) continue;
    dependencies.emplace_back(name.view());
    if (tags.size() >= kMany) known.insert(dependencies.back());
  }
  return dependencies;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache

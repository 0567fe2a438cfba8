#include <dsta/cache/detail/call_loader.hpp>
#include <dsta/cache/detail/leading.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <span>
#include <string>
#include <utility>

#include <dsta/cache/detail/stored_key.hpp>
#include <dsta/cache/detail/tag_name.hpp>
#include <dsta/cache/error.hpp>

#include "entry/dependency.hpp"
#include "entry/entry.hpp"
#include "entry/key_pattern.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// A tag of a wrapper names arguments by their position, and only those that are there: any other tag would never be
/// invalidated by whoever means the argument.
void check_tags(const std::vector<std::string>& tags, const EntryOptions& options, std::size_t arguments) {
  const auto refuse = [&](const std::string& tag, const std::string& why) {
    const std::string function =
        options.prefix + (options.prefix.empty() || options.name.empty() ? "" : ":") + options.name;
    const bool own = std::ranges::find(options.tags, tag) != options.tags.end();
    throw ConfigError("the tag '" + tag + "'" + (own ? "" : " (of the prefix's preset or the manager's defaults)") +
                      " of the function '" + function + "': " + why);
  };
  for (const std::string& tag : tags) {
    for (std::size_t open = tag.find('{'); open != std::string::npos; open = tag.find('{', open + 1)) {
      const std::size_t close = tag.find('}', open);
      if (close == std::string::npos || close == open + 1) continue;
      const std::string inside = tag.substr(open + 1, close - open - 1);
      const bool is_name = std::ranges::all_of(inside, [](char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      });
      if (!is_name) continue;
      const bool is_place = inside.size() == 1 && inside[0] >= '0' && inside[0] <= '9';
      if (!is_place) {
        refuse(tag, "arguments are named by their position, {0} to {9}, not as {" + inside + "}");
      } else if (static_cast<std::size_t>(inside[0] - '0') >= arguments) {
        refuse(tag, arguments == 0 ? "the function has no arguments"
                                   : "there is no argument {" + inside + "}, the last one is {" +
                                         std::to_string(arguments - 1) + "}");
      }
    }
  }
}

EntryTerms checked_terms(const Core& core, const EntryOptions& options, std::size_t arguments) {
  EntryTerms terms = core.resolve(options);
  check_tags(terms.tags, options, arguments);
  return terms;
}

}  // namespace

WrapperBase::WrapperBase(std::shared_ptr<Core> core_, const EntryOptions& options, const FunctionMark& mark,
                         unsigned plain, std::size_t arguments)
    : core(std::move(core_)),
      terms(std::make_shared<const EntryTerms>(checked_terms(*core, options, arguments))),
      identity(&core->register_function(options.prefix, options.name, mark)),
      registration(*core, *identity),
      head(identity->text()),
      open_head(identity->text().empty() ? "" : identity->text() + ":") {
  // Entries at the server note it as one of the things that they depend on.
  if (core->has_l2() && terms->level != Level::l1 && identity->text().size() >= kMaxDependencyBytes) {
    throw ConfigError(fmt::format("prefix and name are {} bytes long together: with a server give them less than {}",
                                  identity->text().size(), kMaxDependencyBytes));
  }
  core->note_tags(*identity, terms->tags, plain);
  if (is_raw()) identity->raw.store(true, std::memory_order_relaxed);
}

void CallKeyBase::finish() {
  view_ = {buffer_.view(), {}, buffer_.hash()};
  // One that spells what a longer key was shortened to is shortened, too: L2 knows both by their names alone.
  if (buffer_.size() > kReadableKeyBytes || is_shortened(view_.name)) {
    long_ = new StoredKey(view_.name);
    view_ = long_->view();
  }
}

void CallKeyBase::forget_long() noexcept { delete long_; }

void CallKeyBase::refuse_left_out() {
  throw ConfigError(
      "a call leaves out an argument that the wrapper's key_builder takes: give the key_builder fewer parameters, or "
      "give the call all arguments (only the function knows its default arguments)");
}

void refuse_built_keys(const Identity& function) {
  throw ConfigError("invalidate_matching: the keys of '" + function.text() +
                    "' are made by its key_builder, which does not say where an argument is in a key: use "
                    "delete_pattern over what it writes, or a tag");
}

void add_tags(Loaded& loaded, std::vector<std::string> tags) {
  for (std::string& tag : tags) {
    if (is_tag(tag)) loaded.tags.push_back(std::move(tag));
  }
}

void describe_load(LoadSpec& load, const WrapperBase& wrapper, const TypeOps& type) {
  if (wrapper.is_raw()) check_raw_codec(type);
  load.terms = wrapper.terms;
  load.identity = wrapper.identity;
  load.type = &type;
}

std::vector<std::string> fill_tags(const std::vector<std::string>& tags, const std::string* arguments,
                                   std::size_t count) {
  std::vector<std::string> filled;
  filled.reserve(tags.size());
  for (const std::string& tag : tags) {
    std::string& out = filled.emplace_back();
    for (std::size_t i = 0; i < tag.size(); ++i) {
      const std::size_t close = tag[i] == '{' ? tag.find('}', i) : std::string::npos;
      const std::string_view inside =
          close == std::string::npos ? std::string_view() : std::string_view(tag).substr(i + 1, close - i - 1);
      if (inside.size() == 1 && inside[0] >= '0' && inside[0] <= '9') {
        const auto index = static_cast<std::size_t>(inside[0] - '0');
        // An argument that was left to its default has no text: the tag then stands without it.
        if (index < count) out += arguments[index];
        i = close;
      } else {
        out += tag[i];
      }
    }
    if (!is_tag(out)) filled.pop_back();  // of an argument that has no text
  }
  return filled;
}

NodeRef fetch_one(const WrapperBase& wrapper, const KeyView& key, const TypeOps& type,
                  const std::vector<std::string>& tags) {
  Fetched item{key};
  item.tags = &tags;
  const TypeOps* types[] = {&type};
  wrapper.core->fetch(std::span(&item, 1), types, wrapper.identity, *wrapper.terms, {});
  return std::move(item.node);
}

NodeRef read_with_tags(const WrapperBase& wrapper, const KeyView& key, const TypeOps& type,
                       const std::vector<std::string>& tags) {
  NodeRef node;
  wrapper.core->read(key, type, wrapper.identity, node);
  return node && carries_all(*node, tags) ? node : NodeRef();
}

SetResult put_call(const WrapperBase& wrapper, NodeRef node, Loaded& loaded, std::vector<std::string> tags) {
  EntryTerms terms = *wrapper.terms;
  terms.ttl = ttl_of(loaded, terms);
  tags.insert(tags.end(), loaded.tags.begin(), loaded.tags.end());
  if (wrapper.is_raw()) check_raw_codec(*node->type);
  if (wrapper.is_raw() && !tags.empty()) refuse_raw_tags(tags.front());
  return to_set_result(wrapper.core->put(std::move(node), terms, tags, wrapper.identity), wrapper.identity->counters);
}

bool erase_call(const WrapperBase& wrapper, const KeyView& key) {
  wrapper.identity->counters.add(Count::invalidations);
  const bool erased = wrapper.core->erase(key, {.l2 = wrapper.terms->level != Level::l1, .raw = wrapper.terms->raw});
  if (erased) wrapper.identity->counters.add(Count::deletes);
  return erased;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache

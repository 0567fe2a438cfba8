#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/duration.hpp>
#include <dsta/cache/log.hpp>
#include <dsta/cache/options.hpp>

#include "l2/client/pending_request.hpp"
#include "l2/client/server_finder.hpp"
#include "l2/net/stream.hpp"
#include "l2/net/wake.hpp"
#include "l2/resp/reply_guard.hpp"
#include "l2/resp/request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Connection;

/// How to reach one server, and who to log in as.
struct LinkOptions {
  Address address;
  /// Says where the server is, in place of `address`, and it must be a master. Null: it is always the same.
  std::shared_ptr<ServerFinder> finder = nullptr;
  /// With `finder`: called when another master was connected to than before, or a restarted one, when nothing goes to
  /// the former any more, and before anything goes to this one. Must not use the link, and not throw.
  std::function<void()> on_new_server = nullptr;
  std::string user;      ///< empty: the default user
  std::string password;  ///< empty: none. Never in a message.
  /// In place of the two, if set: asked by each handshake, on its thread. May throw anything.
  std::function<Credentials()> credentials = nullptr;
  unsigned database = 0;
  std::size_t connections = 1;
  /// How many more there may be for large values: see Lane. 0: those travel with all others.
  std::size_t large_connections = 0;
  Duration large_idle = std::chrono::seconds(30);      ///< one of these that nobody used for so long is ended
  Duration connect_timeout = std::chrono::seconds(1);  ///< name, connection, encryption and login together
  Duration operation_timeout = std::chrono::seconds(1);
  bool retry = true;
  /// A key that is never there. Removing it shows that the server takes writes, and changes nothing.
  std::string probe_key = "dsta:\x01probe";
  ReplyLimits limits;
  Log log;
  /// Makes the stream; null and a reason when it did not come about by the deadline. Default: connect_plain.
  std::function<std::unique_ptr<Stream>(const Address&, TimePoint deadline, std::string& error)> connect;
};

/// What may be done with a request whose outcome is unknown, and how its replies are known to be its own.
enum class Purpose : std::uint8_t {
  read,   ///< may be sent again; what it returns names the key it belongs to
  erase,  ///< may be sent again; verified
  write,  ///< must not be executed twice; verified
};

/// Which connections a request may take. A large value holds up whatever stands behind it on its connection, so there
/// are connections for large values alone. Nothing is known of the order of requests on different connections.
enum class Lane : std::uint8_t {
  shared,
  large,       ///< it need not be in order with any other request of this process
  large_read,  ///< the same, but for requests that were given up: what those change (see Request::writes) it must not
               ///< miss
};

struct Answer {
  Fault fault = Fault::none;
  /// With a fault: the server may have executed the request.
  bool maybe_executed = false;
  /// With a fault: the first reply had, or may have had, a large text. See Connection::awaited_large.
  std::uint32_t awaited_large = 0;
  /// Of the large text at least the beginning came.
  bool saw_large() const { return awaited_large != 0 && awaited_large != kMaybeLarge; }
  std::vector<Reply> replies = {};
  SendOrder order = {};
  /// Of a cluster: parts of the request were sent more than once, since slots are on their way. Their order is not that
  /// of the request.
  bool redirected = false;
  /// Of a cluster: a part was run by a node that is no master of any slot yet, to which nobody listens.
  bool by_stranger = false;
  std::string_view why = {};  ///< with a fault: a reason that lives as long as the process
  explicit operator bool() const { return fault == Fault::none; }
};

class EchoWay;

/// What a link has done since it was made.
struct LinkCounters {
  std::uint64_t attempts = 0;         ///< to connect, by requests and by probes
  std::uint64_t server_changes = 0;   ///< see LinkOptions::on_new_server
  std::uint64_t breaker_changes = 0;  ///< times it began to refuse requests, and times it stopped to
  std::uint64_t made = 0;             ///< connections that requests were given
  std::uint64_t open = 0;             ///< of these, how many there are now
  std::uint64_t open_large = 0;       ///< of those, how many are for large values
};

/// The link to one server: one or a few shared connections, made when needed, made again when lost. Thread-safe.
/// Nothing here throws for what the network does.
///
/// While the server is away no request waits for it: after a failed attempt every request is refused at once, and a
/// thread of the link's own reconnects, at most twice a second, until the server answers. The same when it is there and
/// does not do its work: see Breaker. These count as failures: a connection that ended because something did not come
/// in time, one that ended before it brought a single answer, and the errors LOADING, BUSY, MASTERDOWN and CLUSTERDOWN,
/// by which the server says that it serves nobody now. They are answers like all others to the caller; but after the
/// third in a row the next caller is refused. Other errors concern one key or one client and count as answers.
///
/// A server may answer reads and let writes wait, as while a failover is prepared (CLIENT PAUSE WRITE). Then a breaker
/// of their own refuses the requests that write, and the reads go on.
///
/// Large values have connections of their own (see Lane), made when the others are in use, and ended when idle. Where
/// none is to be had, the shared one will do: that says nothing of the server. They are nobody's `current()`, and their
/// end is not reported to `watch()`, since nothing but their requests depends on them.
///
/// Where the server may move (see ServerFinder), each new connection but those for large values, which go where the
/// shared one goes, finds it again, and is used only if its server says that it is a master. When that is another than
/// before, or has lost its memory, the connections to the former are ended first.
///
/// A reply is known by its place alone, so a lost or repeated one would shift all that follow. Requests of Purpose
/// erase and write therefore end in an EchoCheck, which must come back behind their own replies; a read is verified by
/// its user, who calls `close_as_corrupt` on what cannot be.
class Link {
 public:
  explicit Link(LinkOptions options);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// One absolute deadline, operation_timeout from now, covers connecting, sending, waiting and one retry.
  Answer run(const Request& request, Purpose purpose, Lane lane = Lane::shared);
  /// A request that is sent now and waited for later, so that several servers can be at work at the same time.
  class Started;
  /// Ends connections for large values that were not used for a while. Cheap where there are none.
  void close_idle();
  /// Ends the connections, and makes no other: requests fail from now on. May wait for a connection that is being made.
  void close() noexcept;
  /// Ends the connections: a read brought what it cannot have asked for.
  void close_as_corrupt(std::string_view why);
  enum class Probed : std::uint8_t { answered, ended, unknown };
  /// Whether the server answers the request or ends the connection over it. Asked on a connection of its own; unknown
  /// where the server answers nothing else either.
  Probed probe(const Request& request);
  /// Known of all connections. See EchoWay.
  EchoWay& echo_way();
  /// False while requests are refused at once.
  bool up() const;
  /// False until a write has succeeded after others failed: what need not be written now had better wait.
  bool takes_writes() const;
  /// True while writes are refused at once, since the server lets them wait. Not while one may try, which is left to
  /// whoever writes next.
  bool refuses_writes() const;
  LinkCounters counters() const;
  /// The server that was connected to last; without a finder, the one that there is.
  ServerPlace server() const;
  /// Where a connection was looked for last, whether or not it came about. Only with a finder; without a host until
  /// then.
  Address looked_at() const;
  /// The server has moved, or is no master any more: ends the connections to it, and lets the next one be made at once.
  /// Only with a finder.
  void server_moved(std::string_view why);

  // For users that depend on what the server knows of a connection: that ends with it. See Channel.

  const LinkOptions& options() const { return options_; }
  /// The first connection, unless there is none or it is known to have ended.
  std::shared_ptr<Connection> current();
  /// Makes the first connection on another thread when there is none and no thread is at it.
  void connect_in_background();
  /// Made when first asked for; one for the link, so for one user that polls it.
  std::shared_ptr<LinkWatch> watch();

 private:
  struct State;
  State& state();

  const LinkOptions options_;
  std::atomic<State*> state_;  ///< owned
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache

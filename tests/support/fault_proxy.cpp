#include "fault_proxy.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

namespace dsta::cache::testing_support {
namespace {

using Kind = Fault::Kind;
using namespace std::chrono_literals;

constexpr int kBacklog = 128;

}  // namespace

FaultProxy::FaultProxy(std::uint16_t server_port)
    : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      server_port_(server_port),
      listener_(listen_on(port_.port(), kBacklog)) {
  if (!wake_) throw net_error("eventfd");
  plan_.set(Fault::pass());
  thread_ = std::thread([this] { run(); });
}

FaultProxy::~FaultProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void FaultProxy::set(Fault fault) {
  ask([&] {
    plan_.set(std::move(fault));
    adopt(plan_.standing());
  });
}

void FaultProxy::schedule(std::uint64_t seed, std::vector<WeightedFault> faults) {
  ask([&] {
    plan_.schedule(seed, std::move(faults));
    adopt(plan_.standing());
  });
}

void FaultProxy::set_server(std::uint16_t server_port) {
  ask([&] { server_port_ = server_port; });
}

void FaultProxy::reset_connections() {
  ask([&] {
    for (FaultConnection& each : connections_) each.reset();
  });
}

void FaultProxy::finish_connections() {
  ask([&] {
    for (FaultConnection& each : connections_) each.finish();
  });
}

std::size_t FaultProxy::connections() const {
  std::ptrdiff_t count = 0;
  ask([&] {
    count = std::count_if(connections_.begin(), connections_.end(), [](const auto& each) { return each.has_client(); });
  });
  return static_cast<std::size_t>(count);
}

std::vector<FaultProxy::Clock::time_point> FaultProxy::accepted() const {
  std::vector<Clock::time_point> copy;
  ask([&] { copy = accepted_; });
  return copy;
}

FaultCounters FaultProxy::counters() const {
  FaultCounters copy;
  ask([&] { copy = counters_; });
  return copy;
}

void FaultProxy::ask(std::function<void()> task) const {
  const auto done = std::make_shared<std::promise<void>>();
  auto answer = done->get_future();
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back([done, task = std::move(task)] {
      try {
        task();
        done->set_value();
      } catch (...) {
        done->set_exception(std::current_exception());
      }
    });
  }
  ::eventfd_write(wake_.get(), 1);
  answer.get();
}

void FaultProxy::run() {
  for (;;) {
    run_tasks();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    step();
  }
}

void FaultProxy::run_tasks() {
  std::deque<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) task();
}

void FaultProxy::step() {
  for (FaultConnection& each : connections_) each.flush();
  connections_.remove_if([](const FaultConnection& each) { return each.over(); });

  std::vector<pollfd> sockets{{wake_.get(), POLLIN, 0}, {accepting_ ? listener_.get() : -1, POLLIN, 0}};
  auto next = Clock::now() + 1h;
  for (FaultConnection& each : connections_) {
    // First: what comes due between the two is then waited for as a socket, not forgotten by both.
    if (const auto due = each.next_due()) next = std::min(next, *due);
    sockets.push_back({each.client_fd(), each.client_events(), 0});
    sockets.push_back({each.server_fd(), each.server_events(), 0});
  }
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
  ::poll(sockets.data(), sockets.size(), static_cast<int>(std::max<std::int64_t>(0, wait.count())));

  if (sockets[0].revents != 0) {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
  }
  // What is only writable is flushed at the beginning of the next step.
  std::size_t i = 2;
  for (FaultConnection& each : connections_) {
    const auto wants = [&](const pollfd& socket, int fd) {
      return socket.fd >= 0 && socket.fd == fd && (socket.revents & ~POLLOUT) != 0;
    };
    const pollfd& client = sockets[i++];
    const pollfd& server = sockets[i++];
    if (wants(client, each.client_fd())) each.on_client();
    if (each.server_fd() >= 0 && server.fd == each.server_fd() && server.revents != 0) each.on_server();
  }
  if (sockets[1].revents != 0 && accepting_) accept_all();
}

void FaultProxy::accept_all() {
  for (;;) {
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    const auto filler = std::find(filler_ports_.begin(), filler_ports_.end(), peer_port(client));
    if (filler != filler_ports_.end()) {
      filler_ports_.erase(filler);
      continue;
    }
    accepted_.push_back(Clock::now());
    set_no_delay(client);
    connections_.emplace_back(std::move(client), server_port_, accepted_.size(), plan_, counters_);
  }
}

/// Brings the listener, and the connections there are, into the state of a fault that was set.
void FaultProxy::adopt(Kind standing) {
  if (standing == Kind::half_open) {
    for (FaultConnection& each : connections_) each.lose_server();
  }
  if (standing != Kind::hang_connect) empty_backlog();
  if (standing == Kind::refuse) {
    listener_.reset();
  } else if (!listener_) {
    listener_ = listen_on(port_.port(), kBacklog);
  }
  accepting_ = standing != Kind::refuse && standing != Kind::hang_connect;
  if (standing == Kind::hang_connect) fill_backlog();
}

/// With a backlog of 0 one connection is completed without being accepted, and the next is kept waiting.
void FaultProxy::fill_backlog() {
  if (!fillers_.empty()) return;
  accept_all();
  ::listen(listener_.get(), 0);
  for (int i = 0; i < 8; ++i) {
    fillers_.push_back(begin_connect(port_.port()));
    filler_ports_.push_back(local_port(fillers_.back()));
    if (!await(fillers_.back(), POLLOUT, Clock::now() + 100ms)) return;
  }
}

void FaultProxy::empty_backlog() {
  if (fillers_.empty()) return;
  // One that still knocks must not get in now.
  fillers_.erase(fillers_.begin() + 1, fillers_.end());
  // Accepted while the filler is still there: afterwards it cannot be told from a client that came and went.
  ::listen(listener_.get(), kBacklog);
  accept_all();
  fillers_.clear();
  filler_ports_.clear();
}

}  // namespace dsta::cache::testing_support

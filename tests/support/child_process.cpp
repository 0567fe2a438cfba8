#include "child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

namespace dsta::cache::testing_support {
namespace {

using Clock = std::chrono::steady_clock;

/// Between fork and exec in a program with threads: system calls only, everything they need was made before.
[[noreturn]] void become(const char* program, char* const* arguments, const char* log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = ::open("/dev/null", O_RDONLY);
  const int output = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  if (::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
    for (int fd = 3; fd < 1024; ++fd) ::close(fd);
  }
  ::execv(program, arguments);
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(std::string program, std::vector<std::string> arguments, std::string log) {
  keeper_ = std::thread([this, program = std::move(program), arguments = std::move(arguments), log = std::move(log)] {
    keep(program, arguments, log);
  });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return started_; });
}

ChildProcess::~ChildProcess() {
  signal(SIGKILL);
  keeper_.join();
}

void ChildProcess::keep(const std::string& program, const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(program.c_str(), pointers.data(), log.c_str(), self);
  {
    const std::lock_guard lock(mutex_);
    pid_ = child;
    started_ = true;
    changed_.notify_all();
  }
  if (child < 0) return;
  // The end is awaited without collecting it: until pid_ is cleared the number stays the child's.
  siginfo_t end{};
  while (::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  const std::lock_guard lock(mutex_);
  ::waitpid(child, nullptr, 0);
  pid_ = -1;
  changed_.notify_all();
}

bool ChildProcess::running() const { return pid() > 0; }

pid_t ChildProcess::pid() const {
  const std::lock_guard lock(mutex_);
  return pid_;
}

void ChildProcess::signal(int number) {
  const std::lock_guard lock(mutex_);
  if (pid_ > 0) ::kill(pid_, number);
}

void ChildProcess::pause() {
  signal(SIGSTOP);
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  for (pid_t child = pid(); child > 0; child = pid()) {
    siginfo_t state{};
    if (::waitid(P_PID, static_cast<id_t>(child), &state, WSTOPPED | WNOHANG) != 0 || state.si_pid == child) return;
    if (Clock::now() > deadline) throw std::runtime_error("the child does not stop");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void ChildProcess::resume() { signal(SIGCONT); }

bool ChildProcess::wait_for_end(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return pid_ <= 0; });
}

}  // namespace dsta::cache::testing_support

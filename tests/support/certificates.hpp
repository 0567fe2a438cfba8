#pragma once
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace dsta::cache::testing_support {

/// Authorities, servers and clients of a small world, made by the openssl tool in a directory that goes with the test.
class Certificates {
 public:
  Certificates() {
    char pattern[] = "/tmp/dsta-cache-tls-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    authority("ca");
    authority("foreign");
    issue("server", "ca", "subjectAltName=DNS:cache.test,IP:127.0.0.1");
    issue("elsewhere", "ca", "subjectAltName=DNS:elsewhere.test");
    // Newer tools refuse the one, older ones do not know the other.
    const bool takes_dates = std::system("openssl x509 -help 2>&1 | grep -q not_before") == 0;
    issue("expired", "ca", "subjectAltName=DNS:cache.test,IP:127.0.0.1",
          takes_dates ? "-not_before 20200101000000Z -not_after 20200102000000Z" : "-days -1");
    issue("client", "ca", "subjectAltName=DNS:client.test");
    issue("stranger", "foreign", "subjectAltName=DNS:client.test");
  }
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  bool made() const { return made_; }
  std::string certificate(const std::string& name) const { return directory_ + "/" + name + ".crt"; }
  std::string key(const std::string& name) const { return directory_ + "/" + name + ".key"; }

 private:
  void authority(const std::string& name) {
    run("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + name + " -keyout " + key(name) + " -out " +
        certificate(name));
  }
  void issue(const std::string& name, const std::string& by, const std::string& names,
             const std::string& days = "-days 2") {
    run("req -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " + key(name) + " -out " + directory_ + "/csr");
    run("x509 -req -in " + directory_ + "/csr -CA " + certificate(by) + " -CAkey " + key(by) + " -CAcreateserial " +
        days + " -extfile " + extensions(names) + " -out " + certificate(name));
  }
  std::string extensions(const std::string& names) {
    const std::string file = directory_ + "/ext";
    made_ = made_ && std::system(("printf '%s' '" + names + "' > " + file).c_str()) == 0;
    return file;
  }
  void run(const std::string& command) {
    made_ = made_ && std::system(("openssl " + command + " >/dev/null 2>&1").c_str()) == 0;
  }
  std::string directory_;
  bool made_ = true;
};

}  // namespace dsta::cache::testing_support

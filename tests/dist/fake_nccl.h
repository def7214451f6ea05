#pragma once

#include <fmt/format.h>

#include <atomic>
#include <string>

#include "base/error.h"
#include "dist/ranks/nccl.h"

namespace relmpi {

// What goes wrong, on the one rank that has this.
struct NcclFault {
  bool init = false;            // fails; the others wait for this rank
  bool init_waits = false;      // never ends
  std::int64_t late_call = 0;   // the call from 1 that is taken up and then fails; 0 = none
  std::int64_t early_call = 0;  // the call that succeeds, whereupon the communicator has failed
  std::int64_t hangs = 0;       // the call that the device never ends
  std::int64_t device = 0;      // the call at which the device fails
};

// NCCL played over the host's communicator: sums are right, faults come when they are told to. Prints the
// calls that begin and end a communicator.
class FakeNccl : public Nccl {
 public:
  FakeNccl(Communicator& host, const NcclFault& fault) : host_(host), fault_(fault) {}

  std::string make_id() override { return "the id"; }

  State init(int size, const std::string& id, int rank) override {
    RELMPI_CHECK(size == host_.size() && id == "the id" && rank == host_.rank());
    say("init");
    if (fault_.init) state_ = State::kFailed;
    if (fault_.init_waits) state_ = State::kGoesOn;
    return state_;
  }

  State all_reduce(void* data, std::int64_t count, ReduceType type, void*) override {
    host_.all_reduce(data, count, type);
    ++calls_;
    if (calls_ == fault_.late_call || calls_ == fault_.early_call) state_ = State::kFailed;
    return calls_ == fault_.late_call ? State::kGoesOn : State::kDone;
  }

  std::unique_ptr<Mark> mark(void*) override {
    class Passing : public Mark {
     public:
      Passing(bool hangs, bool fails) : hangs_(hangs), fails_(fails) {}
      bool passed() override {
        if (fails_) throw RuntimeError("CUDA error: an illegal memory access was encountered");
        return !hangs_;
      }

     private:
      bool hangs_, fails_;
    };
    return std::make_unique<Passing>(calls_ == fault_.hangs, calls_ == fault_.device);
  }

  State state() override {
    if (polls_ == 0) return state_;
    --polls_;
    return State::kGoesOn;
  }
  std::string reason() override { return "unhandled system error (no memory for a socket)"; }

  State finalize() override {
    say("finalize");
    polls_ = 3;
    return State::kGoesOn;
  }
  void destroy() override { say(polls_ == 0 ? "destroy" : "destroy too early"); }
  void abort() override { say("abort"); }

 private:
  void say(const char* what) const {
    fmt::print("rank {} {}\n", host_.rank(), what);
    std::fflush(stdout);
  }

  Communicator& host_;
  NcclFault fault_;
  std::atomic<State> state_ = State::kDone;  // the watchdog asks too
  std::atomic<int> polls_ = 0;               // until finalize has ended
  std::int64_t calls_ = 0;
};

}  // namespace relmpi

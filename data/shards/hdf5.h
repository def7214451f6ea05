#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

namespace relmpi::hdf5 {

// Every use of libhdf5 lies inside a session: one thread at a time (not every build of the library is
// thread-safe), with the library's own error printing off (a setting of each thread).
class Session {
 public:
  Session();

 private:
  std::scoped_lock<std::recursive_mutex> lock_;
};

enum class Access { kRead, kWrite };

// What a call works on, for the text of an error. A failed read is an InputError (the file is damaged or
// something else), a failed write a RuntimeError (a full disk).
struct Location {
  std::string file;
  std::string object;  // data set or attribute; empty = the file itself
  Access access = Access::kRead;
};

// The innermost message of libhdf5's error stack.
std::string last_error();

[[noreturn]] void fail(const char* call, const Location& location);

// The one wrapper around calls of libhdf5: a negative result becomes an error that names call, file and
// object.
template <typename Result>
Result checked(Result result, const char* call, const Location& location) {
  if (result < 0) fail(call, location);
  return result;
}

// An identifier of libhdf5, closed by the function that belongs to its kind.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  Handle(Handle&& other) noexcept { *this = std::move(other); }
  Handle& operator=(Handle&& other) noexcept;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle();

  operator hid_t() const { return id_; }
  // Closes now and reports a failure, which the destructor cannot: data is written as late as here.
  void close(const char* call, const Location& location);

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

// Files of format H5F_LIBVER_LATEST, whose metadata has checksums, without time stamps and without file locks
// (so that read-only and network file systems work).
Handle create_file(const std::filesystem::path& path);
Handle open_file(const std::filesystem::path& path);

Handle create_group(hid_t parent, const char* name, const Location& location);

// Attributes: 64-bit unsigned numbers and texts, written with a fixed length (texts of variable length lie
// where libhdf5 keeps no checksums). Reading one that is missing or of another kind is an InputError.
void write_attribute(hid_t object, const char* name, std::uint64_t value, Location location);
void write_attribute(hid_t object, const char* name, const std::string& value, Location location);
bool has_attribute(hid_t object, const char* name, Location location);
std::uint64_t read_number(hid_t object, const char* name, Location location);
std::string read_text(hid_t object, const char* name, Location location);

// A one-dimensional data set, chunked, with a Fletcher32 checksum for each chunk.
class Column {
 public:
  // An empty one that grows. `stored` and `memory` are the element types in the file and in memory.
  static Column create(hid_t file, const std::string& path, const char* name, hid_t stored, hid_t memory,
                       std::uint64_t chunk);
  static Column open(hid_t file, const std::string& path, const char* name);

  std::uint64_t size() const { return size_; }
  // Element type in the file: unsigned integer of this many bytes; 0 = something else.
  std::size_t unsigned_bytes() const;

  void append(const void* elements, std::uint64_t count);
  // Elements [begin, begin + count), converted to `memory`. Throws InputError that names the damaged chunk.
  void read(hid_t memory, std::uint64_t begin, std::uint64_t count, void* out) const;
  void close();

 private:
  void check_storage(hid_t creation) const;
  herr_t try_read(hid_t memory, std::uint64_t begin, std::uint64_t count, void* out) const;

  Handle dataset_;
  Handle memory_;
  Location location_;
  std::uint64_t size_ = 0;
  std::uint64_t chunk_ = 0;
};

}  // namespace relmpi::hdf5

#define RELMPI_HDF5(location, function, ...) \
  ::relmpi::hdf5::checked(function(__VA_ARGS__), #function, location)

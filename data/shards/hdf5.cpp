#include "data/shards/hdf5.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace relmpi::hdf5 {
namespace {

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

std::string describe(const Location& location) {
  return location.object.empty() ? location.file : location.file + ": " + location.object;
}

Handle file_access(const Location& location) {
  Handle list(RELMPI_HDF5(location, H5Pcreate, H5P_FILE_ACCESS), H5Pclose);
  RELMPI_HDF5(location, H5Pset_libver_bounds, list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  RELMPI_HDF5(location, H5Pset_file_locking, list, false, true);
  return list;
}

Handle fixed_text(std::size_t bytes, const Location& location) {
  Handle type(RELMPI_HDF5(location, H5Tcopy, H5T_C_S1), H5Tclose);
  RELMPI_HDF5(location, H5Tset_size, type, std::max<std::size_t>(bytes, 1));
  RELMPI_HDF5(location, H5Tset_strpad, type, H5T_STR_NULLPAD);
  RELMPI_HDF5(location, H5Tset_cset, type, H5T_CSET_UTF8);
  return type;
}

void write_value(hid_t object, const char* name, hid_t stored, hid_t memory, const void* value,
                 const Location& location) {
  const Handle space(RELMPI_HDF5(location, H5Screate, H5S_SCALAR), H5Sclose);
  const Handle attribute(
      RELMPI_HDF5(location, H5Acreate2, object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  RELMPI_HDF5(location, H5Awrite, attribute, memory, value);
}

Location at_attribute(Location location, const char* name) {
  location.object +=
      location.object.empty() ? std::string("attribute ") + name : std::string(", attribute ") + name;
  return location;
}

// Opens a scalar attribute whose type is of this class.
Handle open_attribute(hid_t object, const char* name, H5T_class_t kind, const Location& location) {
  Handle attribute(RELMPI_HDF5(location, H5Aopen, object, name, H5P_DEFAULT), H5Aclose);
  const Handle type(RELMPI_HDF5(location, H5Aget_type, attribute), H5Tclose);
  const Handle space(RELMPI_HDF5(location, H5Aget_space, attribute), H5Sclose);
  if (H5Tget_class(type) != kind || H5Sget_simple_extent_npoints(space) != 1) {
    throw InputError("{}: not a single {}; was this file written by relmpi-data shard?", describe(location),
                     kind == H5T_STRING ? "text" : "whole number");
  }
  return attribute;
}

}  // namespace

Session::Session() : lock_(library_mutex()) {
  // At exit libhdf5 1.10 tries again to write out a file whose writes failed (a full disk), and ends the
  // process with a segmentation fault. All that is to be kept was closed by then.
  [[maybe_unused]] static const herr_t no_cleanup_at_exit = H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string last_error() {
  std::string message;
  const auto keep_first = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    auto& text = *static_cast<std::string*>(out);
    if (text.empty() && entry->desc != nullptr) text = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &message);
  // The messages of failed writes hold the time and addresses; what a user needs is the system's reason.
  if (const auto begin = message.find("error message = '"); begin != std::string::npos) {
    message = message.substr(begin + 17, message.find('\'', begin + 17) - begin - 17);
  }
  return message.empty() ? "no reason given" : message;
}

void fail(const char* call, const Location& location) {
  const std::string reason = last_error();
  if (location.access == Access::kWrite) {
    throw RuntimeError("{}: {} failed: {}; is the disk full or read-only?", describe(location), call, reason);
  }
  throw InputError(
      "{}: {} failed: {}; the file is damaged or no shard: write it again with relmpi-data shard",
      describe(location), call, reason);
}

Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(close_, other.close_);
  return *this;
}

Handle::~Handle() {
  if (id_ < 0) return;
  const Session session;
  close_(id_);
}

void Handle::close(const char* call, const Location& location) {
  if (id_ < 0) return;
  const hid_t id = id_;
  id_ = H5I_INVALID_HID;
  checked(close_(id), call, location);
}

Handle create_file(const std::filesystem::path& path) {
  const Location location{path.string(), "", Access::kWrite};
  const Handle creation(RELMPI_HDF5(location, H5Pcreate, H5P_FILE_CREATE), H5Pclose);
  RELMPI_HDF5(location, H5Pset_obj_track_times, creation, false);
  const Handle access = file_access(location);
  return {RELMPI_HDF5(location, H5Fcreate, path.c_str(), H5F_ACC_TRUNC, creation, access), H5Fclose};
}

Handle open_file(const std::filesystem::path& path) {
  const Location location{path.string(), "", Access::kRead};
  const Handle access = file_access(location);
  return {RELMPI_HDF5(location, H5Fopen, path.c_str(), H5F_ACC_RDONLY, access), H5Fclose};
}

Handle create_group(hid_t parent, const char* name, const Location& location) {
  const Handle creation(RELMPI_HDF5(location, H5Pcreate, H5P_GROUP_CREATE), H5Pclose);
  RELMPI_HDF5(location, H5Pset_obj_track_times, creation, false);
  return {RELMPI_HDF5(location, H5Gcreate2, parent, name, H5P_DEFAULT, creation, H5P_DEFAULT), H5Gclose};
}

void write_attribute(hid_t object, const char* name, std::uint64_t value, Location location) {
  write_value(object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value,
              at_attribute(std::move(location), name));
}

void write_attribute(hid_t object, const char* name, const std::string& value, Location location) {
  location = at_attribute(std::move(location), name);
  const Handle type = fixed_text(value.size(), location);
  write_value(object, name, type, type, value.c_str(), location);
}

bool has_attribute(hid_t object, const char* name, Location location) {
  return RELMPI_HDF5(at_attribute(std::move(location), name), H5Aexists, object, name) > 0;
}

std::uint64_t read_number(hid_t object, const char* name, Location location) {
  location = at_attribute(std::move(location), name);
  const Handle attribute = open_attribute(object, name, H5T_INTEGER, location);
  std::uint64_t value = 0;
  RELMPI_HDF5(location, H5Aread, attribute, H5T_NATIVE_UINT64, &value);
  return value;
}

std::string read_text(hid_t object, const char* name, Location location) {
  location = at_attribute(std::move(location), name);
  const Handle attribute = open_attribute(object, name, H5T_STRING, location);
  const Handle type(RELMPI_HDF5(location, H5Aget_type, attribute), H5Tclose);
  if (RELMPI_HDF5(location, H5Tis_variable_str, type) > 0) {  // as other programs write texts
    char* text = nullptr;
    RELMPI_HDF5(location, H5Aread, attribute, type, static_cast<void*>(&text));
    std::string value(text == nullptr ? "" : text);
    RELMPI_HDF5(location, H5free_memory, text);
    return value;
  }
  std::string value(H5Tget_size(type), '\0');
  RELMPI_HDF5(location, H5Aread, attribute, type, value.data());
  value.resize(std::min(value.size(), value.find('\0')));
  return value;
}

Column Column::create(hid_t file, const std::string& path, const char* name, hid_t stored, hid_t memory,
                      std::uint64_t chunk) {
  Column column;
  column.location_ = {path, name, Access::kWrite};
  column.chunk_ = chunk;
  column.memory_ = Handle(RELMPI_HDF5(column.location_, H5Tcopy, memory), H5Tclose);
  const hsize_t size = 0, limit = H5S_UNLIMITED, chunk_size = chunk;
  const Handle space(RELMPI_HDF5(column.location_, H5Screate_simple, 1, &size, &limit), H5Sclose);
  const Handle creation(RELMPI_HDF5(column.location_, H5Pcreate, H5P_DATASET_CREATE), H5Pclose);
  RELMPI_HDF5(column.location_, H5Pset_chunk, creation, 1, &chunk_size);
  RELMPI_HDF5(column.location_, H5Pset_fletcher32, creation);
  RELMPI_HDF5(column.location_, H5Pset_obj_track_times, creation, false);
  column.dataset_ = Handle(RELMPI_HDF5(column.location_, H5Dcreate2, file, name, stored, space, H5P_DEFAULT,
                                       creation, H5P_DEFAULT),
                           H5Dclose);
  return column;
}

Column Column::open(hid_t file, const std::string& path, const char* name) {
  Column column;
  column.location_ = {path, name, Access::kRead};
  column.dataset_ = Handle(RELMPI_HDF5(column.location_, H5Dopen2, file, name, H5P_DEFAULT), H5Dclose);
  const Handle space(RELMPI_HDF5(column.location_, H5Dget_space, column.dataset_), H5Sclose);
  const Handle creation(RELMPI_HDF5(column.location_, H5Dget_create_plist, column.dataset_), H5Pclose);
  if (H5Sget_simple_extent_ndims(space) != 1 || H5Pget_layout(creation) != H5D_CHUNKED) {
    throw InputError(
        "{}: not a chunked data set of one dimension; was this file written by relmpi-data shard?",
        describe(column.location_));
  }
  hsize_t size = 0, chunk = 0;
  RELMPI_HDF5(column.location_, H5Sget_simple_extent_dims, space, &size, nullptr);
  RELMPI_HDF5(column.location_, H5Pget_chunk, creation, 1, &chunk);
  column.size_ = size;
  column.chunk_ = chunk;
  column.check_storage(creation);
  return column;
}

// A chunk that was never stored would read as zeros.
void Column::check_storage(hid_t creation) const {
  const int filters = RELMPI_HDF5(location_, H5Pget_nfilters, creation);
  for (int i = 0; i < filters; ++i) {
    std::size_t parameters = 0;
    if (H5Pget_filter2(creation, static_cast<unsigned>(i), nullptr, &parameters, nullptr, 0, nullptr,
                       nullptr) != H5Z_FILTER_FLETCHER32) {
      return;  // compressed by another program: its size says nothing
    }
  }
  const Handle type(RELMPI_HDF5(location_, H5Dget_type, dataset_), H5Tclose);
  const hsize_t stored = H5Dget_storage_size(dataset_);
  if (stored / H5Tget_size(type) >= size_) return;
  throw InputError(
      "{}: {} bytes are too few for {} elements; the file is damaged: write it again with relmpi-data shard",
      describe(location_), stored, size_);
}

std::size_t Column::unsigned_bytes() const {
  const Session session;
  const Handle type(RELMPI_HDF5(location_, H5Dget_type, dataset_), H5Tclose);
  const bool is_unsigned = H5Tget_class(type) == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_NONE;
  return is_unsigned ? H5Tget_size(type) : 0;
}

void Column::append(const void* elements, std::uint64_t count) {
  if (count == 0) return;
  const Session session;
  const hsize_t begin = size_, extent = size_ + count, length = count;
  RELMPI_HDF5(location_, H5Dset_extent, dataset_, &extent);
  const Handle selection(RELMPI_HDF5(location_, H5Dget_space, dataset_), H5Sclose);
  RELMPI_HDF5(location_, H5Sselect_hyperslab, selection, H5S_SELECT_SET, &begin, nullptr, &length, nullptr);
  const Handle block(RELMPI_HDF5(location_, H5Screate_simple, 1, &length, nullptr), H5Sclose);
  RELMPI_HDF5(location_, H5Dwrite, dataset_, memory_, block, selection, H5P_DEFAULT, elements);
  size_ = extent;
}

herr_t Column::try_read(hid_t memory, std::uint64_t begin, std::uint64_t count, void* out) const {
  const hsize_t first = begin, length = count;
  const Handle selection(RELMPI_HDF5(location_, H5Dget_space, dataset_), H5Sclose);
  RELMPI_HDF5(location_, H5Sselect_hyperslab, selection, H5S_SELECT_SET, &first, nullptr, &length, nullptr);
  const Handle block(RELMPI_HDF5(location_, H5Screate_simple, 1, &length, nullptr), H5Sclose);
  return H5Dread(dataset_, memory, block, selection, H5P_DEFAULT, out);
}

void Column::read(hid_t memory, std::uint64_t begin, std::uint64_t count, void* out) const {
  RELMPI_CHECK(begin <= size_ && count <= size_ - begin, "{}: {} + {} of {}", describe(location_), begin,
               count, size_);
  if (count == 0) return;
  const Session session;
  if (try_read(memory, begin, count, out) >= 0) return;
  // One of the chunks is damaged: which one?
  std::vector<char> scratch(H5Tget_size(memory) * chunk_);
  for (std::uint64_t chunk = begin / chunk_; chunk * chunk_ < begin + count; ++chunk) {
    const std::uint64_t first = chunk * chunk_, last = std::min(first + chunk_, size_);
    if (try_read(memory, first, last - first, scratch.data()) >= 0) continue;
    throw InputError(
        "{}: chunk {} (elements {} to {}) is damaged: {}; write the shard again or restore it from a copy",
        describe(location_), chunk, first, last - 1, last_error());
  }
  fail("H5Dread", location_);
}

void Column::close() { dataset_.close("H5Dclose", location_); }

}  // namespace relmpi::hdf5

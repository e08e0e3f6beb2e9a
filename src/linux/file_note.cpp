// SPDX-License-Identifier: MIT
// See file_note.h.
#include "linux/file_note.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <bit>
#include <cerrno>

#include "base/hash.h"
#include "linux/fd.h"

namespace kvpsi {

namespace {

/// As it lies in the file, in the machine's order of bytes, as the state before it does.
struct Note {
  std::array<char, 8> magic = {'K', 'V', 'P', 'S', 'I', 'n', 't', '1'};
  std::int64_t value = 0;
  std::uint64_t bytes_before = 0;
  std::uint64_t digest = 0;  ///< of the three, against chance, not against forgers
};
static_assert(sizeof(Note) == kFileNoteBytes);

Note make_note(std::int64_t value, std::uint64_t bytes_before) {
  Note note{.value = value, .bytes_before = bytes_before};
  Hash64 hash;
  hash.add(std::bit_cast<std::uint64_t>(note.magic));
  hash.add(value);
  hash.add(bytes_before);
  note.digest = hash.value();
  return note;
}

std::optional<std::uint64_t> size_of(const UniqueFd& file) {
  struct stat found{};
  if (::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(found.st_size);
}

}  // namespace

Result<void> append_file_note(const std::string& path, std::int64_t value) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
  const auto failed = [&](int number) {
    return fail(ErrorCode::io, "nothing can be noted at its end", path, number);
  };
  if (!file.is_open()) return failed(errno);
  const auto bytes = size_of(file);
  if (!bytes) return failed(0);
  const Note note = make_note(value, *bytes);
  const auto end = static_cast<off_t>(*bytes);
  const ssize_t wrote = ::pwrite(file.get(), &note, sizeof(note), end);
  if (wrote == static_cast<ssize_t>(sizeof(note))) return {};
  const int number = wrote < 0 ? errno : ENOSPC;
  static_cast<void>(::ftruncate(file.get(), end));
  return failed(number);
}

std::optional<std::int64_t> read_file_note(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const auto bytes = file.is_open() ? size_of(file) : std::nullopt;
  if (!bytes || *bytes < sizeof(Note)) return std::nullopt;
  const std::uint64_t before = *bytes - sizeof(Note);
  Note note;
  const ssize_t got = ::pread(file.get(), &note, sizeof(note), static_cast<off_t>(before));
  if (got != static_cast<ssize_t>(sizeof(note))) return std::nullopt;
  const Note expected = make_note(note.value, before);
  const bool is_note =
      note.magic == expected.magic && note.bytes_before == before && note.digest == expected.digest;
  return is_note ? std::optional(note.value) : std::nullopt;
}

}  // namespace kvpsi

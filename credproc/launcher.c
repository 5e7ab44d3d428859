/* A cache hit of credproc, and nothing else: `credprocctl launcher` compiles it.
 *
 * It does what __main__.hit() does with answer.py, cache.py and system.py, in the same order. On a
 * miss, or if anything is unusual, it executes Python with the same arguments. So it may miss where
 * Python would print, but it never prints what Python would not.
 *
 * credprocctl prepends definitions that it takes from Python: PYTHON, OPTIONS, CODE, PACKAGE,
 * PACKAGE_SIZE, PACKAGE_MTIME, ENTRY_HEAD, MAX_ENTRY, MAX_PAUSE, LONGEST, CACHE_BELOW, BOOT, and the
 * lists VARIABLES, SECRET and ONCE, each ending with NULL.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The mark by which `credprocctl launcher` recognizes a file that it may overwrite. */
__attribute__((used)) static const char written_by[] = "Written by `credprocctl launcher`";

__extension__ typedef unsigned __int128 Wide;

#ifdef __APPLE__
#define MTIME(status) (status)->st_mtimespec
#define CTIME(status) (status)->st_ctimespec
#else
#define MTIME(status) (status)->st_mtim
#define CTIME(status) (status)->st_ctim
#endif

/* Bytes with a length; they may contain zeros, and are not owned. */
typedef struct {
    const char *data;
    size_t size;
} Bytes;

/* The parts of an entry that a hit needs; see cache.Entry. */
typedef struct {
    uint64_t issued, ahead, look, expiration;
    Bytes key, witnesses, document;
} Entry;

static char key_buffer[128 * 1024];
static char entry_buffer[MAX_ENTRY + 2];
static char path_buffer[4096];
static char block_buffer[64 * 1024];

static bool equal(Bytes one, Bytes other) {
    return one.size == other.size && memcmp(one.data, other.data, one.size) == 0;
}

static Bytes bytes(const char *text) {
    return (Bytes){text, strlen(text)};
}

/* Removes the part before the separator, and the separator, from the front; false without one. */
static bool take(Bytes *from, char separator, Bytes *part) {
    const char *end = memchr(from->data, separator, from->size);
    if (!end) return false;
    *part = (Bytes){from->data, (size_t)(end - from->data)};
    from->data = end + 1;
    from->size -= part->size + 1;
    return true;
}

/* A number as Python writes one, if it fits. */
static bool number(Bytes text, uint64_t *value) {
    if (text.size == 0 || text.size > 19 || (text.data[0] == '0' && text.size > 1)) return false;
    *value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        *value = *value * 10 + (uint64_t)(text.data[i] - '0');
    }
    return true;
}

static bool take_number(Bytes *from, char separator, uint64_t *value) {
    Bytes part;
    return take(from, separator, &part) && number(part, value);
}

/* cache.fingerprint(): the residue modulo 2**128 - 159, as 32 hex digits. */
static void fingerprint(Bytes data, char digits[33]) {
    const Wide prime = (Wide)0 - 159;
    Wide residue = 0;
    for (size_t i = 0; i < data.size; i++) {
        Wide carried = (residue >> 120) * 159;
        residue = residue << 8 | (unsigned char)data.data[i];
        residue += carried;
        if (residue < carried) residue += 159;
    }
    if (residue >= prime) residue -= prime;
    for (int i = 31; i >= 0; i--, residue >>= 4) digits[i] = "0123456789abcdef"[residue & 15];
    digits[32] = 0;
}

/* answer.mark(): the residue modulo a prime of 32 bits, as 8 hex digits. */
static uint64_t marked(uint64_t residue, const char *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        residue = (residue << 8 | (unsigned char)data[i]) % 4294967291u;
    return residue;
}

static void mark_digits(uint64_t residue, char digits[9]) {
    snprintf(digits, 9, "%08x", (unsigned)residue);
}

static bool listed(const char *const *list, const char *word) {
    for (; *list; list++)
        if (strcmp(*list, word) == 0) return true;
    return false;
}

/* The value of a variable; an empty one counts as unset. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* answer.key(): the unparsed arguments, and the variables; an empty key if it is too long. */
static Bytes key_of(int count, char **words) {
    char *end = key_buffer + sizeof key_buffer, *at = key_buffer;
    int room = snprintf(at, 32, "answer%c%d", 0, count);
    at += room;
    for (int i = 0; i < count; i++) {
        size_t size = strlen(words[i]);
        if (size + 1 >= (size_t)(end - at)) return (Bytes){key_buffer, 0};
        *at++ = 0;
        memcpy(at, words[i], size);
        at += size;
    }
    for (const char *const *name = VARIABLES; *name; name++) {
        const char *value = variable(*name);
        char digits[9];
        if (!value) continue;
        bool hidden = listed(SECRET, *name) || (strchr(value, '@') && strstr(value, "://"));
        if (hidden) mark_digits(marked(0, value, strlen(value)), digits);
        const char *shown = hidden ? digits : value;
        size_t size = strlen(*name) + strlen(shown) + 3;
        if (size >= (size_t)(end - at)) return (Bytes){key_buffer, 0};
        at += sprintf(at, "%c%s=%s%s", 0, *name, hidden ? "#" : "", shown);
    }
    return (Bytes){key_buffer, (size_t)(at - key_buffer)};
}

/* answer.option() and cache.directory(); NULL if the quick rule does not apply. */
static const char *cache_folder(int count, char **words) {
    const char *path = "", *home = variable("HOME"), *base = variable("XDG_CACHE_HOME");
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--cache-dir") == 0) path = i + 1 < count ? words[i + 1] : "";
        if (strncmp(words[i], "--cache-dir=", 12) == 0) path = words[i] + 12;
    }
    if (!*path) path = variable("CREDPROC_CACHE_DIR");
    if (path) {
        if (*path != '/' || strlen(path) >= sizeof path_buffer) return NULL;
        strcpy(path_buffer, path);
        return path_buffer;
    }
    const char *android = variable("ANDROID_DATA");
    if (android && strcmp(android, "/data") == 0) return NULL;
    if (!base && (!home || *home != '/')) return NULL;
    size_t size = strlen(base ? base : home);
    if (size + 64 > sizeof path_buffer) return NULL;
    memcpy(path_buffer, base ? base : home, size);
    if (!base) {
        while (size && path_buffer[size - 1] == '/') size--;
        size += (size_t)sprintf(path_buffer + size, "%s", CACHE_BELOW);
    }
    /* Python looks for whitespace of all scripts around the path. */
    if (*path_buffer != '/' || path_buffer[size - 1] <= ' ' || path_buffer[size - 1] & 0x80)
        return NULL;
    sprintf(path_buffer + size, "%scredproc", path_buffer[size - 1] == '/' ? "" : "/");
    return path_buffer;
}

/* cache.Cache.open(): a descriptor of the directory, if it is private to this user; else -1. */
static int opened(char *path) {
    struct stat status;
    size_t size = strlen(path), above;
    while (size > 1 && path[size - 1] == '/') size--;
    path[size] = 0;
    for (above = size; above && path[above - 1] != '/'; above--) continue;
    while (above > 1 && path[above - 1] == '/') above--;
    char saved = path[above];
    path[above] = 0;
    int failed = stat(path, &status);
    path[above] = saved;
    if (failed || (status.st_mode & S_IWOTH && !(status.st_mode & S_ISVTX))) return -1;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return -1;
    if (fstat(folder, &status) || status.st_uid != geteuid() || status.st_mode & 077) return -1;
    return folder;
}

/* cache.Cache.load(): the bytes of a private regular file; none if anything is unusual. */
static Bytes contents(int folder, const char *name) {
    const Bytes none = {entry_buffer, 0};
    struct stat status;
    int file = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0 || fstat(file, &status)) return none;
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 077 ||
        status.st_nlink > 1 || status.st_size < 0 || status.st_size > MAX_ENTRY)
        return none;
    ssize_t size = read(file, entry_buffer, (size_t)status.st_size + 1);
    return size < 0 ? none : (Bytes){entry_buffer, (size_t)size};
}

/* cache.decode(), as far as a hit needs it; false if it is not an entry of this version. */
static bool decoded(Bytes data, Entry *entry) {
    Bytes head, line, word, texts[5];
    uint64_t numbers[12], total = 0;
    char digits[33], wanted[128];
    if (!take(&data, '\n', &head)) return false;
    fingerprint(data, digits);
    snprintf(wanted, sizeof wanted, "%s %s %zu", ENTRY_HEAD, digits, data.size);
    if (!equal(head, bytes(wanted)) || !take(&data, '\n', &line)) return false;
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] & 0x80) return false;
    if (!take(&line, ' ', &word) || !take(&line, ' ', &word)) return false; /* kind, provider */
    for (int i = 0; i < 11; i++)
        if (!take_number(&line, ' ', &numbers[i])) return false;
    if (!number(line, &numbers[11])) return false;
    for (int i = 0; i < 5; i++) {
        if (numbers[7 + i] > data.size - total) return false;
        texts[i] = (Bytes){data.data + total, (size_t)numbers[7 + i]};
        total += numbers[7 + i];
    }
    if (total != data.size) return false;
    for (size_t i = 0; i < texts[3].size; i++) /* a failure that Python may not decode */
        if (texts[3].data[i] & 0x80) return false;
    *entry = (Entry){numbers[2], numbers[3], numbers[5], numbers[6], texts[0], texts[1], texts[2]};
    return true;
}

/* cache.Entry.judge(): whether it is fresh. Whole seconds suffice, as all other times are whole. */
static bool fresh(const Entry *entry, uint64_t now) {
    if (!entry->document.size || now >= entry->expiration || now < entry->issued) return false;
    return now < entry->ahead || (now < entry->look && entry->look <= now + MAX_PAUSE);
}

/* answer._content(): the mark of a regular file; else the error, -1 if it is not a regular file. */
static int content(const char *path, char digits[9]) {
    struct stat status;
    uint64_t residue = 0;
    ssize_t size = 0;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return errno;
    int failed = fstat(file, &status) ? errno : 0;
    if (!failed && (!S_ISREG(status.st_mode) || status.st_size > LONGEST)) failed = -1;
    while (!failed && (size = read(file, block_buffer, sizeof block_buffer)) > 0)
        residue = marked(residue, block_buffer, (size_t)size);
    if (size < 0) failed = errno;
    close(file);
    mark_digits(residue, digits);
    return failed;
}

static bool same_time(struct timespec time, uint64_t nanoseconds) {
    return time.tv_sec >= 0 && (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec == nanoseconds;
}

/* The record of a file: DEVICE INODE SIZE MTIME CTIME MARK NAME. */
static bool file_holds(Bytes rest) {
    uint64_t device, inode, size, mtime, ctime;
    struct stat status;
    char digits[9];
    Bytes mark;
    if (!take_number(&rest, ' ', &device) || !take_number(&rest, ' ', &inode) ||
        !take_number(&rest, ' ', &size) || !take_number(&rest, ' ', &mtime) ||
        !take_number(&rest, ' ', &ctime) || !take(&rest, ' ', &mark) || !rest.size)
        return false;
    if (stat(rest.data, &status) || status.st_size < 0 || (uint64_t)status.st_size != size)
        return false;
    if (status.st_dev == device && status.st_ino == inode && same_time(MTIME(&status), mtime) &&
        same_time(CTIME(&status), ctime) && CTIME(&status).tv_nsec)
        return true;
    return content(rest.data, digits) == 0 && equal(mark, bytes(digits));
}

/* The record of a file that did not exist, or could not be read: ERROR NAME. */
static bool absence_holds(Bytes rest) {
    uint64_t error;
    struct stat status;
    char digits[9];
    if (!take_number(&rest, ' ', &error) || !rest.size || !error) return false;
    if (stat(rest.data, &status)) return (uint64_t)errno == error;
    int failed = S_ISREG(status.st_mode) ? content(rest.data, digits) : -1;
    return failed > 0 && (uint64_t)failed == error;
}

static bool directory_holds(Bytes rest) {
    uint64_t device, inode;
    struct stat status;
    return take_number(&rest, ' ', &device) && take_number(&rest, ' ', &inode) && !rest.size &&
           stat(".", &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

/* "BOOT HOST " of an instance, "HOST " of a machine without an ID. */
static bool name_holds(Bytes rest, bool boot) {
    struct utsname system;
    char wanted[sizeof system.nodename + 70], line[64];
    ssize_t size = 0, start = 0;
#ifdef __APPLE__
    if (boot) return false; /* only Python calls sysctl */
#endif
    if (uname(&system)) return false;
    if (boot) {
        int file = open(BOOT, O_RDONLY | O_CLOEXEC);
        if (file >= 0) size = read(file, line, sizeof line);
        if (file < 0 || size <= 0) return false;
        close(file);
        for (ssize_t i = 0; i < size; i++)
            if (line[i] & 0x80) return false;
        while (size && line[size - 1] <= ' ') size--;
        while (start < size && line[start] <= ' ') start++;
    }
    int length = snprintf(wanted, sizeof wanted, "%.*s%s%s ", (int)(size - start), line + start,
                          boot ? " " : "", system.nodename);
    return equal(rest, (Bytes){wanted, (size_t)length});
}

/* The record of another variable: MARK NAME. */
static bool variable_holds(Bytes rest) {
    char digits[9];
    Bytes mark;
    if (!take(&rest, ' ', &mark) || !rest.size || memchr(rest.data, ' ', rest.size)) return false;
    const char *value = getenv(rest.data);
    mark_digits(value ? marked(0, value, strlen(value)) : 0, digits);
    return equal(mark, bytes(digits));
}

/* answer.unchanged(): whether everything is still as recorded. Each record ends with a zero, so its name
 * can be used in place. */
static bool unchanged(Bytes records) {
    Bytes record, kind;
    while (take(&records, 0, &record)) {
        bool holds = false;
        if (!take(&record, ' ', &kind)) return false;
        if (equal(kind, bytes("file"))) holds = file_holds(record);
        if (equal(kind, bytes("absent"))) holds = absence_holds(record);
        if (equal(kind, bytes("directory"))) holds = directory_holds(record);
        if (equal(kind, bytes("instance"))) holds = name_holds(record, true);
        if (equal(kind, bytes("host"))) holds = name_holds(record, false);
        if (equal(kind, bytes("variable"))) holds = variable_holds(record);
        if (!holds) return false;
    }
    return records.size == 0;
}

/* Whether credproc is still the one for which this launcher was built. */
static bool current(void) {
    struct stat status;
    return stat(PACKAGE, &status) == 0 && status.st_size == PACKAGE_SIZE &&
           same_time(MTIME(&status), PACKAGE_MTIME);
}

/* The document to print; none on a miss. */
static Bytes found(int count, char **words) {
    const Bytes none = {"", 0};
    char name[48];
    Entry entry;
    struct timespec now;
    if (variable("CREDPROC_LOG") || !current()) return none;
    for (int i = 0; i < count; i++)
        if (listed(ONCE, words[i])) return none;
    Bytes key = key_of(count, words);
    if (!key.size || !cache_folder(count, words)) return none;
    int folder = opened(path_buffer);
    if (folder < 0) return none;
    fingerprint(key, name);
    strcpy(name + 32, ".entry");
    if (!decoded(contents(folder, name), &entry) || !equal(entry.key, key)) return none;
    if (clock_gettime(CLOCK_REALTIME, &now) || now.tv_sec < 0) return none;
    if (!fresh(&entry, (uint64_t)now.tv_sec) || !unchanged(entry.witnesses)) return none;
    return entry.document;
}

/* Whether a write of so many bytes cannot block; Python has a timer for one that may. */
static bool is_open(size_t size) {
    struct stat status;
    struct pollfd out = {1, POLLOUT, 0};
    if (fstat(1, &status)) return false;
    if (S_ISREG(status.st_mode)) return true;
    return size <= 4096 && poll(&out, 1, 0) == 1 && out.revents == POLLOUT;
}

/* Prints the document in one write; the exit status, or -1 if nothing was printed. */
static int printed(Bytes document) {
    if (!is_open(document.size)) return -1;
    ssize_t size = write(1, document.data, document.size);
    if (size < 0) return -1;
    for (size_t done = (size_t)size; done < document.size; done += (size_t)size) {
        size = write(1, document.data + done, document.size - done);
        if (size < 0) {
            dprintf(2, "credproc: stdout cannot be written: %s\n", strerror(errno));
            return 1;
        }
    }
    return 0;
}

/* Executes Python in this process. */
static int handed_over(int count, char **words) {
    char **given = calloc((size_t)count + 5, sizeof *given);
    if (given) {
        char *lead[] = {PYTHON, OPTIONS, "-c", CODE};
        memcpy(given, lead, sizeof lead);
        memcpy(given + 4, words, (size_t)count * sizeof *given);
        execv(PYTHON, given);
    }
    dprintf(2, "credproc: %s cannot be run: %s: write this launcher again with `credprocctl launcher`\n",
            PYTHON, strerror(errno));
    return 1;
}

int main(int count, char **words) {
    if (count < 1) return 1;
    Bytes document = found(count - 1, words + 1);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* Python reports a closed pipe */
    int status = document.size ? printed(document) : -1;
    signal(SIGPIPE, before);
    return status < 0 ? handed_over(count - 1, words + 1) : status;
}

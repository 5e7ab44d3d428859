/* Fuzzes the part of credproc's launcher that reads an entry: tests/fuzz/launcher.py compiles it
 * behind launcher.c, whose main() is then called launcher_main(), and with sanitizers.
 *
 * Usage: fuzz ENTRY SECONDS SEED. Each round changes bytes of the entry's body, sometimes mends the
 * checksum, and lets the launcher read and check it.
 */
static uint64_t state;

static uint64_t draw(uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return below ? state % below : 0;
}

static size_t changed(char *body, size_t size, size_t room) {
    static const char *const tokens[] = {"\n", " ", "file ", "absent ", "0", "-1", "18446744073709551615",
                                         "9999999999999999999", "variable ", "instance ", "host "};
    for (uint64_t rounds = 1 + draw(4); rounds; rounds--) {
        size_t at = (size_t)draw(size + 1), count = (size_t)draw(24);
        switch (draw(5)) {
        case 0:
            if (at < size) body[at] = (char)draw(256);
            break;
        case 1:
            if (count > size - at) count = size - at;
            memmove(body + at, body + at + count, size - at - count);
            size -= count;
            break;
        case 2:
            size = at;
            break;
        case 3:
            if (at < size) body[at] = 0;
            break;
        default: {
            const char *token = tokens[draw(sizeof tokens / sizeof *tokens)];
            count = strlen(token);
            if (size + count > room) break;
            memmove(body + at + count, body + at, size - at);
            memcpy(body + at, token, count);
            size += count;
        }
        }
    }
    return size;
}

int main(int count, char **words) {
    static char original[MAX_ENTRY], body[MAX_ENTRY];
    if (count != 4) return 2;
    FILE *file = fopen(words[1], "rb");
    if (!file) return 2;
    size_t whole = fread(original, 1, sizeof original, file);
    fclose(file);
    const char *start = memchr(original, '\n', whole);
    if (!start) return 2;
    size_t head = (size_t)(start + 1 - original), rounds = 0, read = 0, held = 0;
    state = strtoull(words[3], NULL, 10) | 1;
    for (time_t end = time(NULL) + atoi(words[2]); time(NULL) < end;)
        for (int i = 0; i < 1000; i++, rounds++) {
            Entry entry;
            char digits[33];
            memcpy(body, original + head, whole - head);
            size_t size = changed(body, whole - head, sizeof body - 4096);
            fingerprint((Bytes){body, size}, digits);
            int lead = draw(50) ? snprintf(entry_buffer, 128, "%s %s %zu\n", ENTRY_HEAD, digits, size)
                                : (int)draw(128);
            /* In memory of its own, so that a byte behind the end is a byte too many. */
            size_t total = (size_t)lead + size;
            char *exact = malloc(total ? total : 1);
            if (!exact) return 2;
            memcpy(exact, entry_buffer, (size_t)lead);
            memcpy(exact + lead, body, size);
            if (decoded((Bytes){exact, total}, &entry)) {
                read++;
                held += fresh(&entry, (uint64_t)time(NULL)) && hold(entry.witnesses);
            }
            free(exact);
        }
    printf("%zu entries, %zu read, %zu held\n", rounds, read, held);
    return 0;
}

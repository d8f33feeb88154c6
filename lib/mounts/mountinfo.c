#include "mounts/mountinfo.h"
#include "base/fd.h"
#include "base/num.h"
#include <string.h>
#include <sys/sysmacros.h>

#define DEVICE_MAX ((uint64_t)UINT32_MAX)

void oc_mountinfo_done(struct oc_mountinfo *m)
{
    free(m->text);
    free(m->v);
    *m = (struct oc_mountinfo)OC_MOUNTINFO_INIT;
}

/* The kernel writes blank, tab, newline, backslash (and what else it likes) as \ooo. In place; false:
 * malformed. */
static bool unescape(char *s)
{
    char *out = s;
    for (; *s; s++) {
        if (*s != '\\') {
            *out++ = *s;
            continue;
        }
        unsigned value = 0;
        for (int i = 0; i < 3; i++) {
            s++;
            if (*s < '0' || *s > '7')
                return false;
            value = value * 8 + (unsigned)(*s - '0');
        }
        if (value == 0 || value > 0xff)
            return false;
        *out++ = (char)value;
    }
    *out = '\0';
    return true;
}

/* The next field of a line, or NULL at its end. Only the mount's source may be empty, so blanks do not fold.
 */
static char *next_field(char **line)
{
    char *field = *line;
    if (!field)
        return NULL;
    char *blank = strchr(field, ' ');
    if (blank)
        *blank = '\0';
    *line = blank ? blank + 1 : NULL;
    return field;
}

static bool parse_device(const char *s, dev_t *ret)
{
    uint64_t major_number, minor_number;
    const char *colon = strchr(s, ':');
    if (!colon || oc_parse_u64(s, (size_t)(colon - s), 0, DEVICE_MAX, &major_number) < 0 ||
        oc_parse_u64(colon + 1, strlen(colon + 1), 0, DEVICE_MAX, &minor_number) < 0)
        return false;
    *ret = makedev((unsigned)major_number, (unsigned)minor_number);
    return true;
}

static bool has_option(const char *options, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = options; p; p = strchr(p, ','), p = p ? p + 1 : NULL)
        if (strncmp(p, word, n) == 0 && (p[n] == '\0' || p[n] == ','))
            return true;
    return false;
}

static bool skip_optional_fields(char **line)
{
    for (char *field = next_field(line); field; field = next_field(line))
        if (strcmp(field, "-") == 0)
            return true;
    return false;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse_line(char *line, struct oc_mount_entry *ret)
{
    uint64_t parent;
    char *id = next_field(&line), *parent_id = next_field(&line), *device = next_field(&line);
    char *root = next_field(&line), *point = next_field(&line), *options = next_field(&line);
    if (!options || !skip_optional_fields(&line))
        return false;
    char *fstype = next_field(&line), *source = next_field(&line), *super_options = next_field(&line);
    if (!source || !super_options || line)
        return false;
    if (oc_parse_u64(id, strlen(id), 0, UINT64_MAX, &ret->id) < 0 ||
        oc_parse_u64(parent_id, strlen(parent_id), 0, UINT64_MAX, &parent) < 0 ||
        !parse_device(device, &ret->dev))
        return false;
    if (!unescape(root) || !unescape(point) || !unescape(fstype) || root[0] == '\0' || point[0] != '/' ||
        fstype[0] == '\0')
        return false;
    ret->root = root;
    ret->point = point;
    ret->fstype = fstype;
    ret->read_only = has_option(options, "ro") || has_option(super_options, "ro");
    return true;
}

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 0;
    for (const char *p = text; p < text + len; n++) {
        const char *end = memchr(p, '\n', (size_t)(text + len - p));
        p = end ? end + 1 : text + len;
    }
    return n;
}

static int parse_lines(struct oc_mountinfo *m, size_t lines)
{
    char *p = m->text;
    for (size_t i = 0; i < lines; i++) {
        char *end = strchr(p, '\n');
        if (end)
            *end = '\0';
        if (!parse_line(p, &m->v[i]))
            return OUTCALL_E_PROTOCOL;
        m->n++;
        p = end ? end + 1 : p;
    }
    return 0;
}

int oc_mountinfo_parse(const char *text, size_t len, struct oc_mountinfo *ret)
{
    OC_CLEANUP(oc_mountinfo_done) struct oc_mountinfo m = OC_MOUNTINFO_INIT;
    size_t lines = count_lines(text, len);
    if (len > OC_MOUNTINFO_BYTES_MAX || lines > OC_MOUNTINFO_N_MAX)
        return OUTCALL_E_LIMIT;
    if (memchr(text, '\0', len))
        return OUTCALL_E_PROTOCOL;
    m.v = oc_new_array(lines, sizeof(*m.v));
    m.text = malloc(len + 1);
    if (!m.v || !m.text)
        return OUTCALL_E_NO_MEMORY;
    memcpy(m.text, text, len);
    m.text[len] = '\0';
    int r = parse_lines(&m, lines);
    if (r < 0)
        return r;
    *ret = m;
    m = (struct oc_mountinfo)OC_MOUNTINFO_INIT;
    return 0;
}

int oc_mountinfo_read(int proc_fd, struct oc_mountinfo *ret)
{
    OC_FREE char *text = NULL;
    size_t len = 0;
    int r = oc_read_file(proc_fd, "mountinfo", OC_MOUNTINFO_BYTES_MAX, &text, &len);
    return r < 0 ? r : oc_mountinfo_parse(text, len, ret);
}

const struct oc_mount_entry *oc_mountinfo_find(const struct oc_mountinfo *m, uint64_t id)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].id == id)
            return &m->v[i];
    return NULL;
}

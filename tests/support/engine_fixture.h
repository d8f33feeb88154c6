/* A scripted engine in a directory of its own and a client for it: what each test against the fake engine
 * begins with. */
#ifndef SUPPORT_ENGINE_FIXTURE_H
#define SUPPORT_ENGINE_FIXTURE_H
#include "base/base.h"
#include "base/str.h"
#include "docker/engine.h"
#include "support/fake_engine.h"
#include <check.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char dir[32], socket[64];
    struct fake_engine *engine;
    outcall_docker *docker;
    outcall_error err;
};

#define ENGINE_20_10 "\"api\":\"1.41\",\"min_api\":\"1.12\",\"server\":\"20.10.24\""

static inline void fixture_engine(struct fixture *f, const char *script)
{
    f->engine = fake_engine_new(f->socket, script, NULL);
    ck_assert_ptr_nonnull(f->engine);
}

/* script NULL: no engine at all. timeout_ms 0: the default. */
static inline void fixture_begin(struct fixture *f, const char *script, uint64_t timeout_ms)
{
    outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
    memset(f, 0, sizeof(*f));
    memcpy(f->dir, "/tmp/outcall-unit-XXXXXX", 25);
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    ck_assert_int_eq(oc_format(f->socket, sizeof(f->socket), "%s/engine.sock", f->dir), 0);
    if (script)
        fixture_engine(f, script);
    o.docker_host = f->socket;
    o.timeout_ms = timeout_ms;
    o.ping_timeout_ms = timeout_ms;
    ck_assert_int_eq(outcall_docker_new(&f->docker, &o, &f->err), 0);
}

static inline void fixture_end(struct fixture *f)
{
    f->docker = outcall_docker_free(f->docker);
    f->engine = fake_engine_free(f->engine);
    ck_assert_int_eq(rmdir(f->dir), 0);
}

/* The last failure's words, ready for the next one. */
static inline void fixture_failed(struct fixture *f, int got, int code, int kind, const char *text)
{
    ck_assert_msg(got == code, "got %d (%s), expected %d", got, f->err.text, code);
    ck_assert_int_eq(f->err.code, code);
    ck_assert_int_eq(f->err.kind, kind);
    ck_assert_msg(strstr(f->err.text, text), "\"%s\" does not say \"%s\"", f->err.text, text);
    outcall_error_clear(&f->err);
}

static inline void fixture_ok(struct fixture *f, int got)
{
    ck_assert_msg(got == 0, "got %d: %s", got, f->err.text);
    ck_assert_int_eq(f->err.code, 0);
}

#endif

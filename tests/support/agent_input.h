/* tests/support/agent_input.h - what an agent can send, to be answered in every way there is. */
#ifndef SUPPORT_AGENT_INPUT_H
#define SUPPORT_AGENT_INPUT_H

/* Each method that there is, and one that there is not. */
static const char *const agent_methods[] = {"GET",     "HEAD",  "POST",    "PUT",   "DELETE",
                                            "OPTIONS", "TRACE", "CONNECT", "PATCH", "X"};

/* Each route, and what is none. */
static const char *const agent_targets[] = {
    "/",
    "/v1/checkin",
    "/v1/heartbeat",
    "/v1/permissions/check",
    "/v1/requests/rules",
    "/v1/requests/rules/",
    "/v1/requests/rules/rr-000000000000",
    "/v1/requests/rules/../../etc/passwd",
    "/api/v1/status",
    "/api/v1/rules",
    "*",
    "http://h/v1/heartbeat",
    "h:1",
    "/v1/heartbeat?a=b",
    "/v1/%00",
    "/%zz",
    "/%ff",
    "/a%2fb",
    "/%01",
    "/#f",
    ("/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&"
     "x&y&z&a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z")};

/* Bodies of each request, wrong in each way, and right. */
static const char *const agent_bodies[] = {
    "{\"hostname\":1}", "{\"hostname\":\"\\n\"}", "{\"pid\":\"1\"}", "{\"pid\":-1}", "{\"version\":[]}",
    "{\"version\":\"\\t\"}", "{\"un\\u006bnown\\n\\u00e9\\ud83d\\ude00\":1}", "{\"a\":1,\"a\":2}", "{\"a\"",
    "{\"a\":}", "{\"a\\q\":1}", "{\"\\u12\":1}", "{\"\\ud800\":1}", "{\"\\ud800\\u0041\":1}",
    "{\"\\u0000\":1}", "{\"a\\u0000\":1}", "\"\x01\"", "\"\xff\"", "{]", "[}", "[1", "[1 2]", "{,}", "1 2",
    "nul", "'", "\"a\nb\"", "123456789012345678901234567890", "-123456789012345678901234567890", "1e999", "",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "null", "true", "1", "1.5", "\"s\"",
    "{\"action_type\":\"tool_exec\"}", "{\"action_type\":1,\"target\":\"x\"}",
    "{\"action_type\":\"\\n\",\"target\":\"x\"}", "{\"action_type\":\"x\",\"target\":\"x\"}",
    "{\"target\":\"x\"}", "{\"action_type\":\"tool_exec\",\"target\":null}",
    "{\"action_type\":\"tool_exec\",\"target\":\"\\n\"}", "{\"action_type\":\"tool_exec\",\"target\":\"\"}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":1}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"a b\":\"\"}}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"a\":1}}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"args\":1}}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"args\":[\"\",1.5]}}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"cwd\":true}}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"cwd\":\"\\n\"}}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"cwd\":\"\"}}",
    "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"cwd\":\"w\"}}",
    "{\"action_type\":\"network_call\",\"target\":\"a b\"}",
    "{\"action_type\":\"network_call\",\"target\":\"!://x\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://a/%2f\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://a/..\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x:///\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://?a\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://a..b\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://[a]\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://1.2\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://a:0\"}",
    "{\"action_type\":\"network_call\",\"target\":\"a\"}",
    "{\"action_type\":\"network_call\",\"target\":\"u@a:1\"}",
    "{\"action_type\":\"network_call\",\"target\":\"[::1\"}",
    "{\"action_type\":\"network_call\",\"target\":\"x://[::1]y\"}",
    "{\"action_type\":\"file_access\",\"target\":\"x\"}", "{\"rule_file\":1}", "{\"rule_file\":\"\"}",
    "{\"rule_file\":\"\\u0000\"}",
    /* verdicts */
    "{\"action_type\":\"tool_exec\",\"target\":\"yes\"}", "{\"action_type\":\"tool_exec\",\"target\":\"no\"}",
    "{\"action_type\":\"tool_exec\",\"target\":\"defmark\"}",
    "{\"action_type\":\"tool_exec\",\"target\":\"theirmark\"}",
    "{\"action_type\":\"shell_exec\",\"target\":\"broken\"}",
    "{\"action_type\":\"tool_exec\",\"target\":\"nothing\"}"};

/* No HTTP, or hardly. */
static const char *const agent_no_http[] = {
    "",
    "\r\n\r\n",
    "G",
    "GARBAGE\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET /\r\n\r\n",
    "GET / HTTP/0.9\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "GET / HTTP/9\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: "
    "chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: "
    "b\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{}",
    "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: "
    "x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "\x16\x03\x01\x02",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};

/* A rule file, quotes escaped. */
#define FILE_OF(rules) "{\"rule_file\":\"version: \\\"1\\\"\\n" rules "\"}"
#define ONE_RULE(id, condition) \
    FILE_OF("rules:\\n  - {id: " id ", condition: '" condition "', action: allow}\\n")

/* Rule files that are refused: by themselves, and for the rules in force. */
static const char *const agent_bad_files[] = {
    ONE_RULE("new", "$secret_def"),
    ONE_RULE("new", "secret_def"),
    ONE_RULE("new", "run.tol == \\\"x\\\""),
    ONE_RULE("new", "run.tool =="),
    ONE_RULE("new", "1 + 1"),
    ONE_RULE("new", "run.tool.matches(\\\"(\\\")"),
    ONE_RULE("-", "true"),
    ONE_RULE("yes", "true"),
    ONE_RULE("theirs", "true"),
    FILE_OF("rules: []\\n"),
    FILE_OF("rule: []\\n"),
    FILE_OF("rules:\\n  - {id: a, condition: 'true', action: allow}\\n  - {id: a, condition: 'true', "
            "action: allow}\\n"),
    FILE_OF("rules:\\n  - {id: a, condition: 'true', action: allow, priority: 5}\\n"),
    FILE_OF("rules:\\n  - {id: a, condition: 'true', action: permit}\\n"),
    FILE_OF("rules:\\n  - {id: a, condition: 'true', action: allow}\\ntests:\\n  - {name: t, context: "
            "{}, expect: block}\\n"),
    FILE_OF("rules:\\n  - {id: a, condition: 'true', action: allow}\\ntests:\\n  - {name: t, context: "
            "{run.tool: yes}, expect: allow, rule: yes}\\n"),
    FILE_OF("rules:\\n  - {id: a, condition: 'true', action: allow, agents: [other]}\\ntests:\\n  - "
            "{name: t, context: {agent: {name: other}}, expect: allow}\\n"),
    "{\"rule_file\":\"x\"}",
    "{\"rule_file\":\"a: [\"}",
    "{\"rule_file\":\"\\u0001\"}",
    "{\"rule_file\":\"- &a [*a]\"}",
    "{\"rule_file\":\"a: \\\"\\\\q\\\"\"}",
    "{\"rule_file\":\"--- \\n--- \\n\"}",
    "{\"rule_file\":\"!!int a\"}",
    "{\"rule_file\":\"\\t\"}"};

#endif

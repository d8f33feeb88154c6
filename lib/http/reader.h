/* http/reader.h - reads one HTTP/1.1 answer from a non-blocking socket: strict, bounded, by a deadline. */
#ifndef HTTP_READER_H
#define HTTP_READER_H
#include "http/client.h"

struct oc_http_reader {
    int fd;
    uint64_t deadline_ms;
    size_t start, end; /* the bytes not yet consumed are buf[start..end) */
    bool drained;      /* the last read took all there was */
    char buf[OC_HTTP_HEAD_MAX];
};

/* Reads one answer to req. The codes of oc_http_exchange. */
OC_NODISCARD int oc_http_read_response(struct oc_http_reader *r, const struct oc_http_request *req,
                                       struct oc_http_response *ret, outcall_error *err);

#endif

/* The formatter: what it takes it writes so that formatting again changes nothing; never its own proof fails.
 */
#include "outcall/policy.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *once = NULL, *twice = NULL;
    size_t once_len = 0, twice_len = 0;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = outcall_policy_format("f", (const char *)data, size, &once, &once_len, &err);
    if (r < 0 ? err.code != r || once || r == OUTCALL_E_INTERNAL : err.code != 0)
        abort();
    if (r < 0)
        return 0;
    r = outcall_policy_format("f", once, once_len, &twice, &twice_len, &err);
    if (r < 0 || twice_len != once_len || memcmp(once, twice, once_len) != 0)
        abort();
    free(once);
    free(twice);
    return 0;
}

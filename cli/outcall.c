/* outcall.c - the operator's command. */
#include "cli.h"
#include <unistd.h>

int main(int argc, char **argv)
{
    return cli_run(argc, argv, getenv("OUTCALL_SOCKET"), stdout, stderr, isatty(STDERR_FILENO) == 1);
}

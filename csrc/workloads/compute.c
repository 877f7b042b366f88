/* compute: kernels that need the processor and never wait.
 *
 * Each is the twin of an interpreted loop in python/lanes/workloads/compute.py
 * and does the same operations in the same order; the floating-point one is
 * compiled without contraction, so that it gives the same bits.
 */
#include "worker.h"
#include "workload.h"

#include <string.h>
#include <zlib.h>

#define FUEL 16384 /* steps between two looks at the stop flag: < 1 ms */
#define ITERATIONS 100
#define SIDE_MAX 65536

/* Let long work be given up: counts steps down and then asks. */
struct stint {
    struct lanes_worker *worker; /* borrowed */
    int64_t fuel;
    bool given_up;
};

static bool spent(struct stint *stint, int64_t steps)
{
    stint->fuel -= steps;
    if (stint->fuel > 0)
        return false;
    /* Given up for good: without fuel every further step ends here again. */
    stint->given_up = lanes_worker_stopping(stint->worker);
    if (!stint->given_up)
        stint->fuel = FUEL;
    return stint->given_up;
}

/* ---- primes: how many there are in [start, stop), by trial division ---- */

static bool is_prime(int64_t n, struct stint *stint)
{
    if (n < 2 || n % 2 == 0)
        return n == 2;
    for (int64_t d = 3; d * d <= n; d += 2)
        if (n % d == 0 || spent(stint, 1))
            return false;
    return true;
}

static int primes(const int64_t *args, int64_t *values, struct stint *stint)
{
    for (int64_t n = args[0]; n < args[1]; n++) {
        values[0] += is_prime(n, stint);
        if (spent(stint, 1))
            break;
    }
    return 1;
}

/* ---- squares: the sum of n * n over [start, stop), modulo 2**63 ---- */

static int squares(const int64_t *args, int64_t *values, struct stint *stint)
{
    uint64_t sum = 0;

    for (int64_t n = args[0]; n < args[1]; n++) {
        sum += (uint64_t)n * (uint64_t)n;
        /* Keep the loop a loop: compilers know a closed form. */
        __asm__ volatile("" : "+r"(sum));
        if (spent(stint, 1))
            break;
    }
    values[0] = (int64_t)(sum & INT64_MAX);
    return 1;
}

/* ---- mandelbrot: sum and CRC-32 of a tile's escape counts ---- */

static unsigned char escape_count(double re, double im)
{
    double x = 0.0, y = 0.0;
    unsigned char n = 0;

    while (n < ITERATIONS && x * x + y * y <= 4.0) {
        double next = x * x - y * y + re;

        y = 2.0 * x * y + im;
        x = next;
        n++;
    }
    return n;
}

static int mandelbrot(const int64_t *args, int64_t *values, struct stint *stint)
{
    const int64_t index = args[0], tiles = args[1], side = args[2];
    uLong crc = crc32(0, NULL, 0);

    for (int64_t row = 0; row < side && !stint->given_up; row++) {
        double line = (double)(index * side + row) + 0.5;
        double im = -1.25 + 2.5 * line / (double)(tiles * side);

        for (int64_t col = 0; col < side; col++) {
            double re = -2.0 + 2.5 * ((double)col + 0.5) / (double)side;
            unsigned char n = escape_count(re, im);

            values[0] += n;
            crc = crc32(crc, &n, 1);
            if (spent(stint, n))
                break;
        }
    }
    values[1] = (int64_t)crc;
    return 2;
}

/* ---- the workload ---- */

static const struct kernel {
    const char *name;
    int (*run)(const int64_t *args, int64_t *values, struct stint *stint);
} kernels[] = {
    {"primes", primes},
    {"squares", squares},
    {"mandelbrot", mandelbrot},
};

static const struct kernel *find(const char *name)
{
    for (size_t n = 0; n < sizeof(kernels) / sizeof(kernels[0]); n++)
        if (strcmp(kernels[n].name, name) == 0)
            return &kernels[n];
    return NULL;
}

static const char *check(const struct lanes_input *input)
{
    const int64_t *args = input->args;
    const struct kernel *kernel = find(input->text);

    if (kernel == NULL)
        return "the kernels are primes, squares and mandelbrot";
    if (kernel->run == mandelbrot)
        return args[0] < 0 || args[0] >= args[1] || args[1] > SIDE_MAX ||
                       args[2] < 1 || args[2] > SIDE_MAX
                   ? "mandelbrot takes 0 <= index < tiles <= 65536 and a side "
                     "of 1 to 65536 pixels"
                   : NULL;
    /* d * d must not overflow for the largest d tried. */
    return args[0] < 0 || args[1] < args[0] || args[1] > INT64_C(1) << 62
               ? "primes and squares take 0 <= start <= stop <= 2**62"
               : NULL;
}

static void run(struct lanes_worker *worker, struct lanes_task *task)
{
    struct stint stint = {.worker = worker, .fuel = FUEL};
    int64_t values[LANES_VALUES] = {0};
    int n = find(task->input.text)->run(task->input.args, values, &stint);

    if (!stint.given_up)
        lanes_task_succeed(task, n, values);
}

const struct lanes_workload lanes_workload_compute = {
    .name = "compute",
    .check = check,
    .run = run,
};

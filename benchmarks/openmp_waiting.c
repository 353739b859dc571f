/* One input of a small model, as OpenMP sees it: one parallel region, and a barrier after each of many short operations.
 *
 *     openmp_waiting THREADS OPERATIONS MICROSECONDS     prints the seconds it took
 *
 * Each operation is MICROSECONDS of work in all, divided among the threads.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static double work(long turns) {
    double sum = 0;
    for (long i = 0; i < turns; i++) sum += 1.0 / (double)(i + 1);
    return sum;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int threads = atoi(argv[1]), operations = atoi(argv[2]);
    volatile double sink = 0;
    double began = omp_get_wtime();
    for (int i = 0; i < 20; i++) sink += work(100000);
    double turns_per_us = 2e6 / ((omp_get_wtime() - began) * 1e6);
    long share = (long)(atof(argv[3]) * turns_per_us / threads);
    omp_set_num_threads(threads);
    began = omp_get_wtime();
#pragma omp parallel
    for (int i = 0; i < operations; i++) {
        double made = work(share);
        if (made < 0) sink = made;
#pragma omp barrier
    }
    printf("%.6f\n", omp_get_wtime() - began);
    return 0;
}

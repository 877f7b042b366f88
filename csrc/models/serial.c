/* serial: one task after the other, on the calling thread. */
#include "model.h"
#include "worker.h"

static int run(struct lanes_batch *batch)
{
    lanes_worker_main(batch, 0, true);
    return lanes_batch_stopped(batch);
}

const struct lanes_model lanes_model_serial = {
    .name = "native-serial",
    .on_caller = true,
    .run = run,
};

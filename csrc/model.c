#include "model.h"

#include "batch.h"
#include "workload.h"

int lanes_model_run(const struct lanes_model *model, struct lanes_batch *batch)
{
    struct pollfd due = {.events = POLLIN};
    struct lanes_run *run;

    if (model->run != NULL)
        return model->run(batch);
    run = model->begin(batch);
    if (run == NULL)
        return lanes_batch_stopped(batch);
    due.fd = run->fd;
    while (!model->step(run) &&
           lanes_batch_pause(batch, &due, 1, LANES_SLICE_MS) == 0)
        continue;
    return model->end(run);
}

bool lanes_model_can_begin(const struct lanes_model *model,
                           const struct lanes_workload *workload)
{
    return model->begin != NULL &&
           (!model->on_caller || workload->evented != NULL);
}

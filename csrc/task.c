#include "task.h"

#include <stdio.h>

_Static_assert(sizeof(struct lanes_task) == 128, "a task is two cache lines");

void lanes_task_succeed(struct lanes_task *task, int n_values,
                        const int64_t *values)
{
    for (int i = 0; i < n_values; i++)
        task->values[i] = values[i];
    task->n_values = (int16_t)n_values;
    task->status = LANES_OK;
}

void lanes_task_fail(struct lanes_task *task, const char *kind,
                     const char *text)
{
    task->failure->kind = kind;
    snprintf(task->failure->text, sizeof(task->failure->text), "%s", text);
    task->status = LANES_FAILED;
}

#include "task.h"

#include <stdio.h>

_Static_assert(sizeof(struct lanes_task) == 128, "a task is two cache lines");
_Static_assert(sizeof(struct lanes_notes) == 192, "and its notes are three");

void lanes_task_succeed(struct lanes_task *task, int n_values,
                        const int64_t *values)
{
    for (int i = 0; i < n_values; i++)
        task->values[i] = values[i];
    task->n_values = (int8_t)n_values;
    task->status = LANES_OK;
}

void lanes_task_fail(struct lanes_task *task, const char *kind,
                     const char *text)
{
    task->notes->kind = kind;
    snprintf(task->notes->text, sizeof(task->notes->text), "%s", text);
    task->status = LANES_FAILED;
}

void lanes_task_measured(struct lanes_task *task, int n_figures,
                         const int64_t *figures)
{
    for (int i = 0; i < n_figures; i++)
        task->notes->figures[i] = figures[i];
    task->n_figures = (int8_t)n_figures;
}

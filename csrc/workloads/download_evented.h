/* download_evented.h - downloads on an event loop, as many as it has places.
 * It must not know who turns the loop.
 */
#ifndef LANES_DOWNLOAD_EVENTED_H
#define LANES_DOWNLOAD_EVENTED_H

#include "workload.h"

extern const struct lanes_evented lanes_download_evented;

#endif

/* The proxy's table of options. Pure. */
#pragma once

#include "conf/options.h"

extern const struct option_table config_options;

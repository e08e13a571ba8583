/* The rows that every program's table has for its logging, one text for all. Pure. */
#pragma once

#include "conf/options.h"

/* Where the verbosity goes, and traits that every flag among them has. */
/* clang-format off: a table */
#define CONF_LOGGING_ROWS(verbosity_at, extra) \
	{ "logging.format", "logging-format", OPTION_STRING, "text", OPTION_NOWHERE, \
	  OPTION_NOT_BUILT | (extra) }, \
	{ "logging.flushFrequency", "log-flush-frequency", OPTION_LAX_DURATION, "5s", \
	  OPTION_NOWHERE, OPTION_KEEP | OPTION_INERT | (extra) }, \
	{ "logging.verbosity", "v", OPTION_INT32, "0", verbosity_at, OPTION_KEEP | (extra) }, \
	{ "logging.vmodule", "vmodule", OPTION_VMODULE, NULL, OPTION_NOWHERE, \
	  OPTION_NOT_BUILT | (extra) }, \
	{ "logging.vmodule[].filePattern", NULL, OPTION_STRING, "", OPTION_NOWHERE, \
	  OPTION_KEEP }, \
	{ "logging.vmodule[].verbosity", NULL, OPTION_INT32, "0", OPTION_NOWHERE, OPTION_KEEP }, \
	{ "logging.options.text.splitStream", "log-text-split-stream", OPTION_BOOL, "false", \
	  OPTION_NOWHERE, OPTION_NOT_BUILT | OPTION_FLAG_ONLY | (extra) }, \
	{ "logging.options.text.infoBufferSize", "log-text-info-buffer-size", OPTION_QUANTITY, \
	  "0", OPTION_NOWHERE, OPTION_KEEP | OPTION_NOT_BUILT | (extra) }, \
	{ "logging.options.json.splitStream", "log-json-split-stream", OPTION_BOOL, "false", \
	  OPTION_NOWHERE, OPTION_NOT_BUILT | OPTION_FLAG_ONLY | (extra) }, \
	{ "logging.options.json.infoBufferSize", "log-json-info-buffer-size", OPTION_QUANTITY, \
	  "0", OPTION_NOWHERE, OPTION_KEEP | OPTION_NOT_BUILT | (extra) }
/* clang-format on */

//go:build tools

// Package tools names the OCI runtime that the rig builds.
package tools

import _ "github.com/opencontainers/runc"

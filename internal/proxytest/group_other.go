//go:build !unix

package proxytest

import "os/exec"

// grouped does nothing: elsewhere than on Unix, programs have no groups.
func grouped(*exec.Cmd) {}

// terminate ends a program, since it cannot be told to.
func terminate(program *exec.Cmd) { kill(program) }

func kill(program *exec.Cmd) { _ = program.Process.Kill() }

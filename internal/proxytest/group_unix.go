//go:build unix

package proxytest

import (
	"os/exec"
	"syscall"
)

// grouped has a program lead a group of processes of its own.
func grouped(program *exec.Cmd) { program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate tells a program to end.
func terminate(program *exec.Cmd) { _ = program.Process.Signal(syscall.SIGTERM) }

// kill ends the group.
func kill(program *exec.Cmd) { _ = syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }

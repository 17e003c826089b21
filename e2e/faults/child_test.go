//go:build unix

package faults

const childVariable = "CODEGRANT_FAULTS_CHILD"

func runChild() {}

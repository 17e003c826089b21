package settings

import (
	"errors"
	"io/fs"
	"os"
)

// OpsListen reads where the operations of a process are, and nothing else: the rest of
// the file may need an environment that whoever asks does not have. Lookup defaults to
// [os.LookupEnv].
func OpsListen(path string, lookup func(string) (string, bool)) (string, error) {
	r := &reader{path: path}
	r.file, r.lookup = path, lookup
	if r.lookup == nil {
		r.lookup = os.LookupEnv
	}
	text, err := readLimited(path)
	if err != nil {
		if fault, ok := errors.AsType[*fs.PathError](err); ok {
			err = fault.Err // the fault has the name already
		}
		return "", &Error{[]Fault{{File: path, Err: err}}, nil}
	}
	// The faults of other keys are for those who need them.
	f := defaults()
	if !r.parse(text, &f) || r.faulty("ops_listen") {
		return "", &Error{sortFaults(path, r.faults), nil}
	}
	return f.OpsListen, nil
}

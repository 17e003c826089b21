package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

type ends struct{ Word string }

func (e *ends) Run() error {
	switch e.Word {
	case "quiet":
		return Exit(3, nil)
	case "within": // as a library wraps it
		return fmt.Errorf("run: %w", Exit(3, nil))
	case "told":
		return Exit(4, errors.New("the table is missing"))
	case "plain":
		return errors.New("the pool is away")
	case "ended":
		return fmt.Errorf("wait: %w", context.Canceled)
	}
	return nil
}

// TestStatus: each end of a command has its status, and an end that says nothing prints nothing.
func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		word, says string
		status     int
	}{
		{"", "", 0}, {"quiet", "", 3}, {"within", "", 3}, {"told", "codegrant: the table is missing\n", 4},
		{"plain", "codegrant: the pool is away\n", 1}, {"ended", "", 0},
	} {
		var out, faults strings.Builder
		commands := struct {
			End struct {
				ends
			} `cmd:""`
		}{}
		status := Run(t.Context(), []string{"end", "--word=" + tt.word}, &out, &faults, &commands)
		if status != tt.status || faults.String() != tt.says || out.Len() > 0 {
			t.Errorf("%q: status %d, %q, %q", tt.word, status, faults.String(), out.String())
		}
	}
}

package replica

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestSweepOptionsValidate(t *testing.T) {
	for _, test := range []struct {
		name, issuer, pass string
		o                  SweepOptions
		says               []string // empty: valid
	}{
		{"the least", "i", "p", SweepOptions{Began: t0}, nil},
		{"any share", "i", "p", SweepOptions{Began: t0, MaxShare: 1}, nil},
		{"everything at once", "", "", SweepOptions{MaxShare: 2}, []string{"issuer", "pass", "Began", "MaxShare is 2"}},
		{"pass too long", "i", strings.Repeat("x", 65), SweepOptions{Began: t0}, []string{"pass has 65 bytes, at most 64"}},
		{"no number", "i", "p", SweepOptions{Began: t0, MaxShare: math.NaN()}, []string{"NaN"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.o.Validate(test.issuer, test.pass)
			if (err != nil) != (test.says != nil) || err != nil && !errors.Is(err, ErrInvalid) {
				t.Fatalf("Validate = %v", err)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("Validate = %v, want it to say %q", err, says)
				}
			}
		})
	}
}

func TestS118_SweepOptionsAllow(t *testing.T) {
	for _, test := range []struct {
		share       float64
		known, gone int
		allowed     bool
	}{
		{0, 0, 0, true}, {0, 100, 10, true}, {0, 100, 11, false}, {0, 1, 1, false}, {0, 9, 1, false}, {0, 10, 1, true},
		{0.5, 10, 5, true}, {0.5, 10, 6, false}, {1, 10, 10, true}, {1, 1_000_000, 1_000_000, true}, {1e-9, 1_000_000, 1, false}, {1e-9, 5, 0, true},
	} {
		err := SweepOptions{MaxShare: test.share}.Allow(test.known, test.gone)
		if (err == nil) != test.allowed || err != nil && !errors.Is(err, ErrSweepTooLarge) {
			t.Errorf("Allow(%d, %d) up to %v = %v, want allowed %v", test.known, test.gone, test.share, err, test.allowed)
		}
	}
	if err := (SweepOptions{}).Allow(50, 20); err == nil || !strings.Contains(err.Error(), "20 of 50 users, at most 10 % may go") {
		t.Errorf("Allow = %v, want it to say how many", err)
	}
}

func TestBatchError(t *testing.T) {
	cause := errors.New("cause")
	var batch BatchError
	for i := range 5 {
		batch.Refused = append(batch.Refused, Refusal{Index: i, Subject: fmt.Sprint("s", i), Err: ErrConflict})
	}
	batch.Refused[4].Err = cause
	err := fmt.Errorf("wrapped: %w", &batch)
	if !errors.Is(err, ErrConflict) || !errors.Is(err, cause) || errors.Is(err, ErrInvalid) {
		t.Errorf("%v is not what its causes are", err)
	}
	want := `wrapped: 5 refused; subject "s0": conflict; subject "s1": conflict; subject "s2": conflict; and 2 more`
	if err.Error() != want {
		t.Errorf("error = %s, want %s", err, want)
	}
}

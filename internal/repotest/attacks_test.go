package repotest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// attacks are those of the MCP project's security guide and of RFC 9700 that concern a
// server of tools and the authorization server before it, and the tests that make them.
var attacks = []struct {
	name  string
	tests []string
}{
	{"confused deputy", []string{"TestS691_ConsentEachTime", "TestS614_S615_TokensOfTheResourceAlone"}},
	{"token passthrough", []string{"TestS697_TokensAreForOneResource", "TestS701_WhateverFails", "TestS666_AnyClient"}},
	{"session hijack", []string{"TestS619_SessionsOfThePerson"}},
	{"mix-up", []string{"TestJourney", "TestS709_AnswersAreOfWhoAsked"}},
	{"code injection", []string{"TestS693_CodesAreBound", "TestS709_AnswersAreOfWhoAsked"}},
	{"stolen refresh token", []string{"TestS694_RefreshTokensTurn"}},
	{"open redirect", []string{"TestS692_NobodyIsSentElsewhere", "TestS673_SchemesOfApps"}},
	{"SSRF by a document", []string{"TestS699_PublicAddressesAlone", "TestS699_ClientsByDocument", "TestS664_Addresses"}},
	{"registration flood", []string{"TestS696_Registrations", "TestS696_AStrangerRegisters"}},
	{"DNS rebinding", []string{"TestS616_Origins", "TestConformance"}},
	{"two readers of one message", []string{"TestS617_MessagesAreReadInOneWay", "TestS617_HeadersThatMirrorTheBody"}},
}

// TestS670_Attacks: each attack has a test, and a row in the guide that names it.
func TestS670_Attacks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "mcp.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for _, line := range strings.Split(string(text), "\n") {
		if cells := strings.Split(strings.Trim(line, "|"), " | "); len(cells) == 3 {
			rows[strings.TrimSpace(cells[0])] = cells[2]
		}
	}
	_, exists := shownInTests(t)
	for _, a := range attacks {
		var named []string
		for _, cell := range cited.FindAllStringSubmatch(rows[a.name], -1) {
			named = append(named, cell[1])
		}
		for _, test := range a.tests {
			if !exists[test] {
				t.Errorf("%s: there is no test %s", a.name, test)
			}
		}
		if strings.Join(named, " ") != strings.Join(a.tests, " ") {
			t.Errorf("%s: docs/mcp.md names %q, want %q", a.name, named, a.tests)
		}
	}
}

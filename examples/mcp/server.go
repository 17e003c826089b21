package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// documents are what the tools are about.
type documents struct {
	mu    sync.Mutex // guards the field below
	texts map[string]string
}

type query struct {
	Text string `json:"text" jsonschema:"what the documents have to contain"`
}

type document struct {
	Name string `json:"name" jsonschema:"name of the document"`
	Text string `json:"text" jsonschema:"all that it says"`
}

type named struct {
	Name string `json:"name" jsonschema:"name of the document"`
}

// newServer is an MCP server as its SDK has it. Who calls is in a header that only the
// gateway can set.
func newServer() http.Handler {
	docs := &documents{texts: map[string]string{"handbook": "Holidays are in the calendar."}}
	server := mcp.NewServer(&mcp.Implementation{Name: "documents", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "search", Description: "Finds documents."}, docs.search)
	mcp.AddTool(server, &mcp.Tool{Name: "write", Description: "Writes a document."}, docs.write)
	mcp.AddTool(server, &mcp.Tool{Name: "delete_document", Description: "Deletes a document."}, docs.remove)
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
}

func say(format string, args ...any) (*mcp.CallToolResult, any, error) {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}, nil, nil
}

// caller is who asks, as the gateway says.
func caller(r *mcp.CallToolRequest) string {
	if r.Extra == nil {
		return ""
	}
	return r.Extra.Header.Get("X-Auth-Username")
}

func (d *documents) search(_ context.Context, r *mcp.CallToolRequest, in query) (*mcp.CallToolResult, any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []string
	for name, text := range d.texts {
		if strings.Contains(strings.ToLower(text), strings.ToLower(in.Text)) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return say("%s, there are %d: %s", caller(r), len(found), strings.Join(found, ", "))
}

func (d *documents) write(_ context.Context, r *mcp.CallToolRequest, in document) (*mcp.CallToolResult, any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.texts[in.Name] = in.Text
	return say("%s wrote %s", caller(r), in.Name)
}

func (d *documents) remove(_ context.Context, r *mcp.CallToolRequest, in named) (*mcp.CallToolResult, any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.texts, in.Name)
	return say("%s deleted %s", caller(r), in.Name)
}

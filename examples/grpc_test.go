package examples

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/examples/grpc/orders"
	"github.com/codegrant/codegrant/examples/shop"
	"github.com/codegrant/codegrant/internal/testenv"
)

// startGRPC runs the example beside a pool, and returns its site and a client of
// its service.
func startGRPC(t *testing.T) (pool *codegranttest.Pool, site string, client orders.OrdersClient) {
	t.Helper()
	pool = codegranttest.NewPool(t, nil)
	address, service := testenv.FreeAddress(t), testenv.FreeAddress(t)
	site = "http://" + address
	run(t, exec.Command(build(t, "grpc"), "-listen", address, "-grpc", service), settings(t, pool, site)...)
	await(t, service)
	await(t, address)
	conn, err := grpc.NewClient(service, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return pool, site, orders.NewOrdersClient(conn)
}

// TestGRPC calls the service as programs do, with tokens of their own.
func TestGRPC(t *testing.T) {
	pool, _, client := startGRPC(t)
	token := func(subject string, groups ...string) string {
		return accessToken(t, pool, map[string]any{"sub": subject, "cognito:groups": append([]string{}, groups...)})
	}
	const carolSub, danSub = "5c9b2c9e-0001-7000-8000-000000000001", "5c9b2c9e-0001-7000-8000-000000000002"
	carol, dan, admin := token(carolSub), token(danSub), token(danSub, "admins")
	forged := carol[:len(carol)-8] + "AAAAAAAA"

	place := func(t *testing.T, token string) (*orders.Order, error) {
		return client.Place(metadata.AppendToOutgoingContext(t.Context(), bearer(token)...), &orders.PlaceRequest{Product: "tea"})
	}
	get := func(t *testing.T, token, id string) (*orders.Order, error) {
		return client.Get(metadata.AppendToOutgoingContext(t.Context(), bearer(token)...), &orders.GetRequest{Id: id})
	}
	watch := func(t *testing.T, token string) (*orders.Order, error) {
		stream, err := client.Watch(metadata.AppendToOutgoingContext(t.Context(), bearer(token)...), &orders.WatchRequest{})
		if err != nil {
			return nil, err
		}
		return stream.Recv()
	}

	if order, err := place(t, carol); err != nil || order.GetId() != "1" || order.GetOwner() != carolSub {
		t.Fatalf("carol places %v, %v", order, err)
	}
	tests := []struct {
		name string
		call func(*testing.T) (*orders.Order, error)
		want codes.Code
	}{
		{"unary, nobody", func(t *testing.T) (*orders.Order, error) { return place(t, "") }, codes.Unauthenticated},
		{"unary, forged", func(t *testing.T) (*orders.Order, error) { return place(t, forged) }, codes.Unauthenticated},
		{"by object, her own", func(t *testing.T) (*orders.Order, error) { return get(t, carol, "1") }, codes.OK},
		{"by object, somebody else's", func(t *testing.T) (*orders.Order, error) { return get(t, dan, "1") }, codes.PermissionDenied},
		{"by object, or a group", func(t *testing.T) (*orders.Order, error) { return get(t, admin, "1") }, codes.OK},
		{"by object, there is none", func(t *testing.T) (*orders.Order, error) { return get(t, carol, "2") }, codes.PermissionDenied},
		{"by object, there is none, and may know", func(t *testing.T) (*orders.Order, error) { return get(t, admin, "2") }, codes.NotFound},
		{"stream, nobody", func(t *testing.T) (*orders.Order, error) { return watch(t, "") }, codes.Unauthenticated},
		{"stream, forged", func(t *testing.T) (*orders.Order, error) { return watch(t, forged) }, codes.Unauthenticated},
		{"stream, without the group", func(t *testing.T) (*orders.Order, error) { return watch(t, carol) }, codes.PermissionDenied},
		{"stream, with one of the groups", func(t *testing.T) (*orders.Order, error) { return watch(t, token(danSub, "analysts")) }, codes.OK},
		{"stream, with the other", func(t *testing.T) (*orders.Order, error) { return watch(t, admin) }, codes.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			order, err := tt.call(t)
			if status.Code(err) != tt.want || (err == nil) != (order.GetOwner() == carolSub) {
				t.Errorf("%v, %v, want %v", order, err, tt.want)
			}
		})
	}
}

// TestGRPCStreamEndsWithItsToken waits for real: a stream has no other clock.
func TestGRPCStreamEndsWithItsToken(t *testing.T) {
	pool, _, client := startGRPC(t)
	token := accessToken(t, pool, map[string]any{"cognito:groups": []string{"analysts"}, "exp": time.Now().Add(5 * time.Second).Unix()})
	ctx := metadata.AppendToOutgoingContext(t.Context(), bearer(token)...)
	stream, err := client.Watch(ctx, &orders.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Place(ctx, &orders.PlaceRequest{Product: "tea"}); err != nil {
		t.Fatal(err)
	}
	if order, err := stream.Recv(); err != nil || order.GetProduct() != "tea" {
		t.Fatalf("while the token is good: %v, %v", order, err)
	}
	if order, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("after that: %v, %v, want %v", order, err, codes.Unauthenticated)
	}
}

// TestGRPCOnBehalf signs people in at the site, which calls the service for them.
func TestGRPCOnBehalf(t *testing.T) {
	_, site, _ := startGRPC(t)
	signIn := func(name string) (*codegranttest.Browser, *codegranttest.Page) {
		b := codegranttest.NewBrowser(t)
		return b, b.SignIn(site+"/", name+"@example.com", codegranttest.Password)
	}
	bob, page := signIn("bob")
	form, ok := page.Form("product")
	if !ok {
		t.Fatalf("no form at %s: %s", page.URL, page.Body)
	}
	var order shop.Order
	if ordered := bob.Submit(page, form, nil); json.Unmarshal([]byte(ordered.Body), &order) != nil || order.ID != "1" || order.Owner == "" {
		t.Fatalf("bob ordered: status %d, %s", ordered.Status, ordered.Body)
	}
	alice, _ := signIn("alice") // an admin
	for who, tt := range map[string]struct {
		person
		path string
		want int
	}{
		"nobody":                 {person{client: new(http.Client)}, "/orders/1", http.StatusUnauthorized},
		"bob, his own":           {person{client: bob.Client}, "/orders/1", http.StatusOK},
		"bob, none":              {person{client: bob.Client}, "/orders/9", http.StatusForbidden},
		"alice, somebody else's": {person{client: alice.Client}, "/orders/1", http.StatusOK},
		"alice, none":            {person{client: alice.Client}, "/orders/9", http.StatusNotFound},
	} {
		if answer, body := tt.ask(t, http.MethodGet, site+tt.path, nil); answer.StatusCode != tt.want {
			t.Errorf("%s: status %d, %s, want %d", who, answer.StatusCode, body, tt.want)
		}
	}
}

// bearer is the metadata of a call with a token, or without one.
func bearer(token string) []string {
	if token == "" {
		return nil
	}
	return []string{"authorization", "Bearer " + token}
}

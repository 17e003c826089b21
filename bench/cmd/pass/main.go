// Command pass makes passes of the directory sync over a large local pool into
// PostgreSQL, and prints what they took beside what the quotas of Cognito's API
// make necessary, and how much memory the pass used. The pool is a process of its
// own.
//
//	scripts/with-servers.sh go -C bench run ./cmd/pass -users 100000 -groups 200
package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

const poolID = "local_Large1"

// quota is how many listings Cognito answers in a second, and page how many people
// are in each.
const (
	quota = 30
	page  = 60
)

type options struct {
	users, groups, memberships int
	quotas, first, bySubject   bool
	require                    float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pass:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	flag.IntVar(&o.users, "users", 10_000, "how many people the pool has")
	flag.IntVar(&o.groups, "groups", 200, "how many groups")
	flag.IntVar(&o.memberships, "memberships", 1, "of how many of them each person is a member")
	flag.BoolVar(&o.quotas, "quotas", false, "have the pool keep Cognito's quotas")
	flag.BoolVar(&o.bySubject, "by-subject", false, "read the people in sixteen parts at once")
	flag.BoolVar(&o.first, "first", false, "make the first pass alone")
	flag.Float64Var(&o.require, "require", 0, "fail where the first pass took longer than so many times what the quotas make necessary")
	serve := flag.Bool("serve", false, "be the pool (for the command itself)")
	flag.Parse()
	if o.users < 1 || o.groups < 1 || o.memberships < 0 || o.memberships > o.groups {
		return errors.New("-users and -groups are at least 1, -memberships between 0 and -groups")
	}
	if *serve {
		return servePool(ctx, o)
	}
	return measure(ctx, o)
}

// servePool serves until its standard input ends, and prints its address first.
func servePool(ctx context.Context, o options) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	seed := localpool.PoolSeed{ID: poolID, Name: "large", Clients: []localpool.ClientSeed{{ID: "1large2client", Name: "web"}}}
	for g := range o.groups {
		seed.Groups = append(seed.Groups, localpool.GroupSeed{Name: groupName(g)})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for u := range o.users {
		user := localpool.UserSeed{
			Username: fmt.Sprintf("user%07d", u), Email: fmt.Sprintf("user%07d@example.com", u), Name: fmt.Sprintf("Person %d", u),
			Disabled: u%50 == 0,
		}
		first := random.IntN(o.groups)
		for m := range o.memberships {
			user.Groups = append(user.Groups, groupName((first+m)%o.groups))
		}
		seed.Users = append(seed.Users, user)
	}
	config := localpool.Config{Seed: localpool.Seed{Pools: []localpool.PoolSeed{seed}}, BaseURL: "http://" + listener.Addr().String()}
	if o.quotas {
		config.Seed.Quotas = localpool.DefaultQuotas()
	}
	pool, err := localpool.New(config)
	if err != nil {
		return err
	}
	config.Seed, seed = localpool.Seed{}, localpool.PoolSeed{}
	fmt.Println(config.BaseURL)
	server := &http.Server{Handler: pool, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func groupName(n int) string { return fmt.Sprintf("group%03d", n) }

// startPool runs this program as the pool.
func startPool(ctx context.Context) (url string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	child := exec.CommandContext(ctx, self, append([]string{"-serve"}, os.Args[1:]...)...)
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := child.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = in.Close()
		_ = child.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("start the pool: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

func measure(ctx context.Context, o options) error {
	server := os.Getenv("CODEGRANT_TEST_POSTGRES")
	if server == "" {
		return errors.New("CODEGRANT_TEST_POSTGRES is not set: run scripts/with-servers.sh go -C bench run ./cmd/pass")
	}
	fmt.Fprintf(os.Stderr, "making a pool of %d people in %d groups\n", o.users, o.groups)
	url, stop, err := startPool(ctx)
	if err != nil {
		return err
	}
	defer stop()
	db, err := openSchema(ctx, server)
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.PostgreSQL})
	if err != nil {
		return err
	}
	journal, err := directory.NewSQLJournal(db, directory.PostgreSQL)
	if err != nil {
		return err
	}
	if err := errors.Join(store.Migrate(ctx), journal.Migrate(ctx)); err != nil {
		return err
	}
	client := cip.New(cip.Options{Region: "eu-west-1", BaseEndpoint: aws.String(url), Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	config := directory.CognitoConfig{Client: client, PoolID: poolID}
	if !o.quotas {
		config.Rate, config.GroupRate = 1e6, 1e6
	}

	fmt.Printf("%d people, %d groups, %d memberships each, quotas %s; PostgreSQL on the same machine\n\n",
		o.users, o.groups, o.memberships, map[bool]string{true: "kept", false: "off"}[o.quotas])
	fmt.Printf("%-26s %10s %12s %10s %8s %10s %12s %12s\n", "pass", "took", "people/s", "calls", "refused", "× quota", "heap, peak", "RSS, peak")
	for n, p := range []struct {
		name string
		full bool
	}{{"first, all are new", true}, {"full, nothing has changed", true}, {"incremental, the same", false}} {
		if n > 0 && o.first {
			break
		}
		source, err := directory.NewCognito(config)
		if err != nil {
			return err
		}
		s, err := directory.New(directory.Config{Source: source, Issuer: url + "/" + poolID, Replica: store, Journal: journal, BySubject: o.bySubject})
		if err != nil {
			return err
		}
		watch := watchMemory()
		begun := time.Now()
		report, err := s.Run(ctx, directory.Options{Full: p.full})
		took := time.Since(begun)
		heap, rss := watch()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		// Cognito's quotas allow no way around these calls: pages of people, and of members if
		// they are read.
		listings := (o.users + page - 1) / page
		if p.full {
			listings += report.Members/page + o.groups
		}
		necessary := time.Duration(float64(listings) / quota * float64(time.Second))
		made, throttled := source.Calls()
		fmt.Printf("%-26s %10s %12.0f %10d %8d %10.2f %9.1f MiB %9.1f MiB\n", p.name, took.Round(10*time.Millisecond),
			float64(o.users)/took.Seconds(), made, throttled, took.Seconds()/necessary.Seconds(), mebi(heap), mebi(rss))
		if report.Users != o.users || n == 0 && report.Created != o.users || n > 0 && report.Created+report.Changed+report.Removed != 0 {
			return fmt.Errorf("%s: the report is not that of such a pass: %+v", p.name, report)
		}
		if n == 0 && o.require > 0 && took.Seconds() > o.require*necessary.Seconds() {
			return fmt.Errorf("the first pass took %.2f times what the quotas make necessary (%s), and may take %.2f", took.Seconds()/necessary.Seconds(), necessary, o.require)
		}
	}
	return compare(ctx, db, o)
}

// compare holds the replica to what the pool was made of.
func compare(ctx context.Context, db *sql.DB, o options) error {
	for _, c := range []struct {
		what, query string
		want        int
	}{
		{"people", "SELECT count(*) FROM codegrant_users", o.users},
		{"of them disabled", "SELECT count(*) FROM codegrant_users WHERE NOT enabled", (o.users + 49) / 50},
		{"memberships", "SELECT count(*) FROM codegrant_memberships", o.users * o.memberships},
	} {
		var got int
		if err := db.QueryRowContext(ctx, c.query).Scan(&got); err != nil {
			return err
		}
		if got != c.want {
			return fmt.Errorf("the replica has %d %s, the pool %d", got, c.what, c.want)
		}
	}
	fmt.Printf("\nthe replica has the %d people, and each membership, of the pool\n", o.users)
	return nil
}

func openSchema(ctx context.Context, server string) (*sql.DB, error) {
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	schema := fmt.Sprintf("pass_%d", time.Now().UnixNano())
	if _, err := admin.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, err
	}
	return sql.Open("pgx", server+"&search_path="+schema)
}

// watchMemory samples this process's memory until the function that it returns is
// called, which returns the most of it.
func watchMemory() func() (heap, rss uint64) {
	runtime.GC()
	var most [2]atomic.Uint64
	done, stopped := make(chan struct{}), make(chan struct{})
	sample := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most[0].Store(max(most[0].Load(), m.HeapInuse))
		most[1].Store(max(most[1].Load(), resident()))
	}
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			sample()
			select {
			case <-ticker.C:
			case <-done:
				return
			}
		}
	}()
	return func() (uint64, uint64) {
		close(done)
		<-stopped
		return most[0].Load(), most[1].Load()
	}
}

// resident is the memory that the system has given this process, as Linux says it.
func resident() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

func mebi(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

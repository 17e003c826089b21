package redisstore

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

const benchPool = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E 4f5e6d7c8b9a0f1e2d3c4b5a69"

// benchRecord is a session as they are: its content is as long as three tokens.
func benchRecord(i, content int) session.Record {
	r := record(session.NewHandle().RecordID())
	r.Pool, r.Subject = benchPool, fmt.Sprintf("11111111-aaaa-4bbb-8ccc-%012d", i)
	r.Sealed = make([]byte, content)
	return r
}

func BenchmarkGet(b *testing.B) {
	for _, way := range []struct {
		name string
		off  bool
	}{{"copy", false}, {"Redis", true}} {
		s := open(b, Config{URL: testenv.Redis(b), DisableCache: way.off, CacheFor: time.Hour})
		ids := make([]string, 1000)
		for i := range ids {
			r := benchRecord(i, 4096)
			ids[i] = r.ID
			create(b, s, r)
		}
		if !way.off {
			for range 2 { // the first time around, connections are still made
				for _, id := range ids {
					copied(b, s, id)
				}
			}
		}
		b.Run(way.name+"/one after another", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := s.Get(b.Context(), ids[i%len(ids)]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(way.name+"/64 at once", func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, err := s.Get(b.Context(), ids[i%len(ids)]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
		s.Close()
	}
}

func BenchmarkWrites(b *testing.B) {
	s := open(b, Config{URL: testenv.Redis(b)})
	b.Run("Create and Delete", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			r := benchRecord(i, 4096)
			create(b, s, r)
			if err := s.Delete(b.Context(), r.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	r := benchRecord(0, 4096)
	create(b, s, r)
	r.Version = 1
	b.Run("CompareAndSwap", func(b *testing.B) {
		for b.Loop() {
			next, err := s.CompareAndSwap(b.Context(), r)
			if err != nil {
				b.Fatal(err)
			}
			r = next
		}
	})
}

// BenchmarkMemory fills a Redis with 100,000 sessions of as many people and reports
// what each takes there: in all, beside its content, and on top of that for each
// process that has a copy of it. Run it with -benchtime 1x.
func BenchmarkMemory(b *testing.B) {
	const sessions = 100_000
	for _, content := range []int{0, 2048, 4096} {
		b.Run(fmt.Sprintf("%d bytes of content", content), func(b *testing.B) {
			for b.Loop() {
				server := startRedis(b)
				raw := rawClient(b, server.address())
				used := func() float64 {
					m := must(b, raw, "INFO", "memory")
					text, _ := m.ToString()
					_, text, _ = strings.Cut(text, "used_memory:")
					number, _, _ := strings.Cut(text, "\r\n")
					n, err := strconv.ParseFloat(number, 64)
					if err != nil {
						b.Fatal(err)
					}
					return n
				}
				s := open(b, Config{URL: server.url(), Prefix: "codegrant:", DisableCache: true})
				before, ids := used(), make([]string, sessions)
				var wg sync.WaitGroup
				for worker := range 64 {
					wg.Go(func() {
						for i := worker; i < sessions; i += 64 {
							r := benchRecord(i, content)
							ids[i] = r.ID
							if err := s.Create(b.Context(), r); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				each := (used() - before) / sessions
				b.ReportMetric(each, "B/session")
				b.ReportMetric(each-float64(content), "B/session-beside-content")

				// What Redis needs to remember that one process has copies of all.
				reader, before := open(b, Config{URL: server.url(), Prefix: "codegrant:", CacheBytes: 1}), used()
				for worker := range 64 {
					wg.Go(func() {
						for i := worker; i < sessions; i += 64 {
							if _, err := reader.Get(b.Context(), ids[i]); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric((used()-before)/sessions, "B/session-watched")
				server.kill()
			}
		})
	}
}

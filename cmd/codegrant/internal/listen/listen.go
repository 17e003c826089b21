package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// On opens an address and says what to do where that fails.
func On(flag, address string) (net.Listener, error) {
	// Sockets of Multipath TCP take no filter, which the end of a process needs.
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	l, err := plain.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with %s", address, errors.Unwrap(err), flag)
	}
	return l, nil
}

// Serve serves until the context ends, then drains.
func Serve(ctx context.Context, logger *slog.Logger, handlers map[net.Listener]http.Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for listener, handler := range handlers {
		server := &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       time.Minute,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		}
		wg.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("serve %s: %w", listener.Addr(), err))
			}
		})
		wg.Go(func() {
			<-ctx.Done()
			drain, stop := context.WithTimeout(context.Background(), 5*time.Second)
			defer stop()
			if server.Shutdown(drain) != nil {
				_ = server.Close()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

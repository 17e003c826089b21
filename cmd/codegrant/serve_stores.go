package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/codegrant/codegrant/session/redisstore"
)

// checkDatabaseURL says what is wrong with a database's URL. It connects to nothing
// and makes no file.
func checkDatabaseURL(raw string) error {
	if path, ok := strings.CutPrefix(raw, "sqlite:"); ok {
		folder := filepath.Dir(strings.TrimPrefix(path, "//"))
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("there is no folder %s to keep the database in", folder)
		}
		return nil
	}
	db, err := openDatabase(raw)
	if err != nil {
		return err
	}
	return db.Close()
}

// checkRedisURL does the same for Redis.
func checkRedisURL(raw string) error {
	store, err := redisstore.New(redisstore.Config{URL: raw})
	if err != nil {
		return err
	}
	return store.Close()
}

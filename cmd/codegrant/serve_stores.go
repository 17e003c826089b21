package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

var errNoRedis = errors.New("this version of codegrant keeps no sessions in Redis; write sessions: database")

// checkRedisURL does the same for Redis.
func checkRedisURL(string) error { return errNoRedis }

// Checks a ledger with nothing of Toolgate's: Go's own checksum-database libraries read the checkpoint,
// the tiles, the entries and the proofs.
//
//	verifier KEY FOLDER                    every line is the entry signed for its place
//	verifier KEY FOLDER grew CHECKPOINT    the tree continues that of the checkpoint
//	verifier KEY proof PROOF LINE          the proof shows the line, without the ledger
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "verifier:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	verifier, err := note.NewVerifier(args[0])
	if err != nil {
		return err
	}
	key := note.VerifierList(verifier)
	if args[1] == "proof" {
		return checkProof(key, args[2], args[3])
	}
	folder := args[1]
	tree, err := checkpoint(key, filepath.Join(folder, "tree", "checkpoint"))
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles{folder})
	if len(args) > 2 {
		return checkGrowth(key, tree, reader, args[3])
	}
	return checkLedger(folder, tree, reader)
}

func checkpoint(key note.Verifiers, path string) (tlog.Tree, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	return opened(key, text)
}

func opened(key note.Verifiers, text []byte) (tlog.Tree, error) {
	signed, err := note.Open(text, key)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// checkLedger compares every line with the leaf of its place, and the entry bundles with both.
func checkLedger(folder string, tree tlog.Tree, reader tlog.HashReader) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil {
		return err
	}
	sort.Strings(names)
	index := int64(0)
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 64<<20)
		for scanner.Scan() && index < tree.N {
			entry := entryOf(scanner.Bytes())
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil {
				return err
			}
			if hashes[0] != tlog.RecordHash(entry) {
				return fmt.Errorf("record %d is not the one that was signed", index+1)
			}
			if err := checkEntry(folder, tree.N, index, entry); err != nil {
				return err
			}
			index++
		}
		file.Close()
	}
	if index != tree.N {
		return fmt.Errorf("%d records are signed, %d are here", tree.N, index)
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the tiles do not lead to the root")
	}
	fmt.Printf("%d records are those that were signed\n", index)
	return nil
}

func checkEntry(folder string, size, index int64, entry []byte) error {
	width := min(size-index/256*256, 256)
	data, err := os.ReadFile(filepath.Join(folder, "tree", tilePath("entries", index/256, width)))
	if err != nil {
		return err
	}
	at := index % 256 * 34
	if !bytes.Equal(data[at:at+34], append([]byte{0, 32}, entry...)) {
		return fmt.Errorf("the bundle holds another entry for record %d", index+1)
	}
	return nil
}

func checkGrowth(key note.Verifiers, tree tlog.Tree, reader tlog.HashReader, path string) error {
	old, err := checkpoint(key, path)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return err
	}
	fmt.Printf("the tree of %d continues that of %d\n", tree.N, old.N)
	return nil
}

// checkProof reads a c2sp.org/tlog-proof@v1.
func checkProof(key note.Verifiers, proofPath, linePath string) error {
	text, err := os.ReadFile(proofPath)
	if err != nil {
		return err
	}
	line, err := os.ReadFile(linePath)
	if err != nil {
		return err
	}
	head, signed, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("no tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, one := range lines[2:] {
		hash, err := base64.StdEncoding.DecodeString(one)
		if err != nil {
			return err
		}
		proof = append(proof, tlog.Hash(hash))
	}
	tree, err := opened(key, []byte(signed))
	if err != nil {
		return err
	}
	leaf := tlog.RecordHash(entryOf(bytes.TrimSuffix(line, []byte("\n"))))
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
		return err
	}
	fmt.Printf("record %d is one of %d\n", index+1, tree.N)
	return nil
}

// entryOf is the hash of a line without the hash it ends with, as docs/ledger.md describes a line.
func entryOf(line []byte) []byte {
	entry := sha256.Sum256(line[:len(line)-75])
	return entry[:]
}

// tiles serves the files of a tree; Go's checksum database names them in its own way.
type tiles struct{ folder string }

func (t tiles) Height() int { return 8 }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		path := tilePath(strconv.Itoa(tile.L), tile.N, int64(tile.W))
		data, err := os.ReadFile(filepath.Join(t.folder, "tree", path))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func tilePath(level string, index, width int64) string {
	number := fmt.Sprintf("%03d", index%1000)
	for index >= 1000 {
		index /= 1000
		number = fmt.Sprintf("x%03d/%s", index%1000, number)
	}
	path := "tile/" + level + "/" + number
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return path
}

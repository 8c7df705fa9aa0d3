"""Tries: reads the gradebook and gives itself 99 points in it. Must: not find it."""

KIND = "Secrets"
SETUP = """{{ATTEMPTS}}
import glob, os, sqlite3
def update():
    db = sqlite3.connect("file:{{COURSE}}/gradebook.db?mode=rw", uri=True)
    db.execute("UPDATE grade SET manual_score = 99, auto_score = 99")
    db.commit()
    return db.execute("SELECT * FROM student").fetchall()
attempt("update", update)
attempt("read", lambda: open("{{COURSE}}/gradebook.db", "rb").read()[:50])
attempt("list", lambda: os.listdir("{{COURSE}}"))
attempt("write", lambda: open("{{COURSE}}/gradebook.db", "ab").write(b"x"))
places = ["/home", "/root", "/srv", "/opt", "/var", "/tmp", "/mnt", "/etc", "/scratch", os.path.dirname("{{COURSE}}")]
print("found", [p for place in places for p in glob.glob(place + "/**/*.db", recursive=True)])
"""
SHOWS = r"update: refused.*list: refused.*found \[\]"

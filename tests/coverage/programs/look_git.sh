# Looks at a repository in the ways that people do; nothing in it is changed.
root=$1/repository
export GIT_OPTIONAL_LOCKS=0 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_PAGER=cat
{
	git -C "$root" status --short --branch
	git -C "$root" log --stat
	git -C "$root" show HEAD~1:fruit.txt
	git -C "$root" diff HEAD~1
	git -C "$root" blame fruit.txt
	git -C "$root" branch --list --verbose
	git -C "$root" ls-files --stage
	git -C "$root" grep pear
	git -C "$root" fsck
	git --git-dir "$root/.git" rev-parse HEAD
	cd "$root/folder" && git rev-parse --show-toplevel && git log --oneline -- .
	git clone -q --no-local "$root" "$2/clone" && ls "$2/clone"
} 2>&1 | sed "s|$1|ROOT|g"

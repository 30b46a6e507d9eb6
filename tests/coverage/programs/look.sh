# Looks at a tree with bash, coreutils and what is beside them everywhere.
root=$1
cd "$2" || exit
{
	cat "$root/lines" | head -n 2
	tail -n 1 "$root/lines"
	wc -l < "$root/lines"
	sort -r "$root/lines" | head -n 1
	sha256sum "$root/large"
	ls -la "$root" | wc -l
	ls -R "$root"
	LC_ALL=C ls -U "$root/folder" | sort
	du -a "$root/folder" | cut -f 2 | sort
	find "$root" | sort
	find "$root" -type l -printf '%p %l %y %s\n' | sort
	find -L "$root/folder/deep" -name file -newer "$root/none"
	grep -rl 'line 7' "$root/lines" "$root/folder" | sort
	stat -c '%n %s %F' "$root/lines" "$root/link" "$root/folder"
	stat -f -c '%n' "$root"
	readlink "$root/link"
	readlink -f "$root/folder/up/link"
	realpath "$root/folder/deep/../../link"
	for name in lines link dangling none folder lines/none; do
		test -e "$root/$name" && echo "$name is"
		test -d "$root/$name" && echo "$name is a folder"
		test -L "$root/$name" && echo "$name is a link"
		test -r "$root/$name" && echo "$name can be read"
		cat "$root/$name"
	done
	echo "$root"/* "$root"/*/deep/f*
	source "$root/lib.sh"
	read -r first < "$root/lines"
	echo "$first" "$(< "$root/folder/deep/file")"
	mapfile -t all < "$root/lines"
	echo "${#all[@]}"
	cp -r "$root/folder" copied
	cp -a "$root/link" "$root/lines" .
	dd if="$root/large" of=part bs=64k count=3 status=none
	install -m 600 "$root/lines" installed
	ls -R copied part installed
	diff -r copied "$root/folder" && echo same
	cmp "$root/large" "$root/large" && echo same
	file=$(mktemp) && tar -C "$root" -cf "$file" folder lines && tar -tf "$file" | sort && rm "$file"
	cd "$root/folder" || exit
	pwd
	/bin/pwd
	ls
	cat deep/file ../lines | wc -l
	cd deep && cat file && cd - && cd .. && head -n 1 lines
	(cd folder && find . | sort)
	pushd "$root/folder/deep" && popd
} 2>&1 | sed "s|$root|ROOT|g"

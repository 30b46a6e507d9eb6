# Packs and unpacks with tar, cpio-like and compressed.
root=$1
cd "$2" || exit
{
	tar -tf "$root/shop.tar"
	tar -xvf "$root/shop.tar"
	tar -cf all.tar -C "$root" lines folder large link && tar -tvf all.tar | wc -l
	tar -czf some.tgz --exclude=large -C "$root" . && tar -tf some.tgz | sort
	tar -df "$root/shop.tar" -C "$root"
	tar -cf listed.tar -C "$root" -T "$root/list" && tar -tf listed.tar
	cat "$root/shop.tar" | tar -xOf - lines | wc -l
	(cd "$root/folder" && tar -cf - .) | tar -tf - | sort
} 2>&1 | sed "s|$root|ROOT|g"

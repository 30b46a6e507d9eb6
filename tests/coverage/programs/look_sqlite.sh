# Looks at a database with sqlite3.
{
	sqlite3 -readonly "$1/shop.db" 'select * from fruit order by name; pragma integrity_check'
	sqlite3 -readonly "$1/shop.db" .schema
	sqlite3 "file:$1/shop.db?immutable=1" 'select count(*) from fruit'
	sqlite3 :memory: ".read $1/shop.sql" 'select count(*) from fruit'
	sqlite3 "$2/other.db" "attach 'file:$1/shop.db?mode=ro' as shop; select * from shop.fruit order by name"
} 2>&1 | sed "s|$1|ROOT|g"

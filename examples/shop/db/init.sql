-- Version 1 of the catalog, as the shop opened with it.
CREATE TABLE products (
    sku text PRIMARY KEY,
    name text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0),
    stock integer NOT NULL DEFAULT 0 CHECK (stock >= 0)
);

INSERT INTO products (sku, name, price_cents, stock) VALUES
    ('teapot', 'Teapot', 2450, 40),
    ('cup', 'Cup', 690, 200);

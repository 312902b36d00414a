BEGIN TRANSACTION;
CREATE TABLE boots (
    id INTEGER PRIMARY KEY AUTOINCREMENT, node_id BIGINT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, boot_id TEXT NOT NULL,
    address TEXT NOT NULL, version TEXT, profile TEXT NOT NULL, reason TEXT NOT NULL, began DATETIME NOT NULL,
    token TEXT, expires DATETIME
);
INSERT INTO "boots" VALUES(1,1,'b1','192.0.2.7','1.2','burnin','New -> burnin','2030-01-02 03:04:05.678901','0000000000000000000000000000000000000000000000000000000000000000','2030-01-02 04:04:05.678901');
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, node_id BIGINT REFERENCES nodes (id) ON DELETE CASCADE, at DATETIME NOT NULL, kind TEXT NOT NULL,
    message TEXT NOT NULL, data TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,1,'2030-01-02 03:04:05.678901','boot','New -> burnin','{"profile":"burnin"}');
CREATE TABLE inventories (
    id INTEGER PRIMARY KEY AUTOINCREMENT, node_id BIGINT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, taken DATETIME NOT NULL,
    digest TEXT NOT NULL, proven BOOLEAN NOT NULL, differences TEXT NOT NULL, document BLOB NOT NULL
);
INSERT INTO "inventories" VALUES(1,1,'2030-01-02 03:04:05.678901','c3531679033ac32bf3ee9838bc9c0a29362ff5cac50733dea17021b4ec3254e4',1,'[]',X'7801358EC10A02310C447F45725ED1EE45E851F0E817C8B2D46EB445DB2E692A2E4BFFDD14F5949037999915CCD33A0C0BE815A2B719F4451613103420BB3D7410D1DFDD3515FAC239118F7E127E62871491D54EF5A2CB4B660CE3EF99136D0F50873A08691106B4FA8B5A5A30B1DC8CE542486276360F991DCC94A662592EC7F4DEF4506B073EBE308A616B59EB075BB43CDE');
CREATE TABLE keys (
    kind TEXT NOT NULL, value TEXT NOT NULL, node_id BIGINT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    shared BOOLEAN NOT NULL, PRIMARY KEY (kind, value)
);
INSERT INTO "keys" VALUES('serial','S-1',1,0);
INSERT INTO "keys" VALUES('uuid','8d1c1f34-5c2b-4a55-9d0e-000000000001',1,0);
INSERT INTO "keys" VALUES('mac','52:54:00:00:00:01',1,0);
CREATE TABLE marks (name TEXT NOT NULL PRIMARY KEY, at DATETIME NOT NULL);
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT, serial TEXT, asset_tag TEXT, macs TEXT NOT NULL, vendor TEXT, model TEXT, port TEXT,
    place TEXT, tag TEXT,
    status TEXT, state TEXT, status_at DATETIME, profile TEXT, reason TEXT, stage TEXT, stage_message TEXT,
    stage_at DATETIME, address TEXT, version TEXT, first_seen DATETIME NOT NULL, last_seen DATETIME NOT NULL,
    alarm TEXT, alarm_at DATETIME, inventory_id BIGINT, run_id BIGINT
);
INSERT INTO "nodes" VALUES(1,'8d1c1f34-5c2b-4a55-9d0e-000000000001','S-1',NULL,'["52:54:00:00:00:01"]','Maker','Box 2','tor-7 Ethernet1/12','tor-0000000007 Ethernet0000000001/0000000012',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2030-01-02 03:04:05.678901','2030-01-02 03:04:05.678901',NULL,NULL,1,1);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, node_id BIGINT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, profile TEXT NOT NULL,
    once BOOLEAN NOT NULL, destructive BOOLEAN NOT NULL, operator TEXT NOT NULL, made DATETIME NOT NULL,
    expires DATETIME, ended DATETIME, outcome TEXT
);
INSERT INTO "orders" VALUES(1,1,'rescue',1,0,'kim','2030-01-02 03:04:05.678901',NULL,NULL,NULL);
CREATE TABLE reports (
    run_id BIGINT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, at DATETIME NOT NULL
);
CREATE TABLE run_lines (
    run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, sequence BIGINT NOT NULL, line TEXT NOT NULL,
    PRIMARY KEY (run_id, sequence)
);
INSERT INTO "run_lines" VALUES(1,0,'{"testRunArtifact":{"testRunStart":{"parameters":{"seconds":7200,"steps":["0","1"]}}},"sequenceNumber":0,"timestamp":"2030-01-02T03:04:05.000Z"}');
INSERT INTO "run_lines" VALUES(1,1,'{"testRunArtifact":{"testRunEnd":{"status":"COMPLETE","result":"PASS"}},"sequenceNumber":1,"timestamp":"2030-01-02T03:04:05.000Z"}');
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, node_id BIGINT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, boot_id TEXT NOT NULL,
    profile TEXT NOT NULL, proven BOOLEAN NOT NULL, resumes INTEGER NOT NULL, began DATETIME NOT NULL,
    heartbeat DATETIME NOT NULL, ended DATETIME, status TEXT, result TEXT, lines INTEGER NOT NULL,
    size BIGINT NOT NULL, summary TEXT NOT NULL
);
INSERT INTO "runs" VALUES(1,1,'b1','burnin',1,0,'2030-01-02 03:04:05.678901','2030-01-02 03:04:05.678901','2030-01-02 03:04:05.678901','COMPLETE','PASS',2,274,'{"steps":{},"planned":["0","1"],"seconds":7200,"failures":[],"status":"COMPLETE","result":"PASS"}');
CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "schema_version" VALUES(1);
CREATE INDEX nodes_status ON nodes (status, state);
CREATE INDEX nodes_model ON nodes (model);
CREATE INDEX nodes_port ON nodes (place, id);
CREATE INDEX nodes_last_seen ON nodes (last_seen);
CREATE INDEX nodes_tag ON nodes (tag);
CREATE INDEX nodes_asset_tag ON nodes (asset_tag);
CREATE INDEX keys_node ON keys (node_id);
CREATE INDEX boots_node ON boots (node_id, id);
CREATE UNIQUE INDEX boots_token ON boots (token);
CREATE INDEX orders_node ON orders (node_id, ended);
CREATE INDEX inventories_node ON inventories (node_id, id);
CREATE INDEX inventories_taken ON inventories (taken);
CREATE INDEX runs_node ON runs (node_id, id);
CREATE INDEX runs_ended ON runs (ended);
CREATE INDEX events_node ON events (node_id, id);
CREATE INDEX events_at ON events (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('nodes',1);
INSERT INTO "sqlite_sequence" VALUES('inventories',1);
INSERT INTO "sqlite_sequence" VALUES('boots',1);
INSERT INTO "sqlite_sequence" VALUES('runs',1);
INSERT INTO "sqlite_sequence" VALUES('events',1);
INSERT INTO "sqlite_sequence" VALUES('orders',1);
COMMIT;

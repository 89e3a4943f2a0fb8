;; contract-1.0.0.wasm, which stands beside this and is never made anew: a plugin for the contract 1.0.0 as it was
;; released, for the test that it loads and gives its bytes for ever. This core module, with the world `plugin` of
;; wit-1.0.0/plugin.wit embedded by wit-component 0.254 (`embed_component_metadata`, UTF-8) and encoded as a component
;; (`ComponentEncoder`), became those bytes.
;;
;; It writes its name into the log and gives the first event's data as JSON.
(module
  (import "hookmill:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 32)
  (data (i32.const 16) "by-hand1.0.0Made by hand.text/plain{}")
  ;; The description: pointers and lengths of name, version, summary, content types, schema, extra.
  (data (i32.const 128)
    "\10\00\00\00\07\00\00\00" "\17\00\00\00\05\00\00\00" "\1c\00\00\00\0d\00\00\00"
    "\b0\00\00\00\01\00\00\00" "\33\00\00\00\02\00\00\00" "\00\00\00\00\00\00\00\00")
  (data (i32.const 176) "\29\00\00\00\0a\00\00\00")
  (global $heap (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $heap)
    (global.set $heap
      (i32.and (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7)) (i32.const -8))))
  (func (export "hookmill:plugin/transformer@1.0.0#describe") (result i32) (i32.const 128))
  (func $transform (export "hookmill:plugin/transformer@1.0.0#transform") (param $delivery i32) (result i32)
    (local $event i32)
    (call $log (i32.const 1) (i32.const 16) (i32.const 7))
    (local.set $event (i32.load offset=52 (local.get $delivery)))
    (i32.store offset=40 (i32.const 1024) (i32.load offset=24 (local.get $event)))
    (i32.store offset=44 (i32.const 1024) (i32.load offset=28 (local.get $event)))
    (i32.const 1024)))
